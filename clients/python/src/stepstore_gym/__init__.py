"""Stepstore's gym for Python: a Gymnasium environment, and a client for many episodes at once."""

import gymnasium

from .client import GymClient, GymProblem
from .env import StepstoreEnv, Words

__all__ = ["GymClient", "GymProblem", "StepstoreEnv", "Words"]

gymnasium.register(id="stepstore/VistaGym-v0", entry_point="stepstore_gym.env:StepstoreEnv")
