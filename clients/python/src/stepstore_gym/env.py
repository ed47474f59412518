"""One episode at a time, as Gymnasium has it."""

from __future__ import annotations

import base64
import io
from typing import Any, Mapping

import gymnasium
import numpy as np
from PIL import Image

from .client import GymClient, GymProblem

INDEX_MAX = 1_000_000


class Words(gymnasium.spaces.Space[str]):
    """Any text of at most `max_length` letters. A sample is a turn of good form that answers with a number."""

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None):
        self.max_length = max_length
        super().__init__(shape=None, dtype=str, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        return f"<think>I guess.</think><answer>{int(self.np_random.integers(100))}</answer>"

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and other.max_length == self.max_length

    def __repr__(self) -> str:
        return f"Words({self.max_length})"


class StepstoreEnv(gymnasium.Env[dict[str, Any], str]):
    """
    Questions about pictures. An observation is `{"text", "image", "image_size"}`: what is said, the last picture at the top
    left of a white canvas of `canvas` (height, width) pixels, and its own height and width. An action is a turn as a model
    writes it: `<think>…</think>`, then `<tool_call>{…}</tool_call>` or `<answer>…</answer>`. The reward comes with the last
    turn; `info` has its parts under `score`, and the chat so far under `messages`.

    `options` choose what is asked: family, kind, split, level, style, run_id, max_turns and all others of the gym's reset.
    Those of `reset(options=…)` win over those given here. Which item comes is drawn from the environment's seed, unless
    `index` or `item_id` says it.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}

    def __init__(
        self,
        url: str = "http://127.0.0.1:7071",
        key: str | None = None,
        options: Mapping[str, Any] | None = None,
        canvas: tuple[int, int] = (1024, 1024),
        render_mode: str | None = None,
        timeout_s: float = 120.0,
    ):
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r} is not known: use rgb_array, or leave it out")
        self.render_mode = render_mode
        self.action_space = Words(1_000_000)
        self.observation_space = gymnasium.spaces.Dict(
            {
                "text": Words(1_000_000),
                "image": gymnasium.spaces.Box(0, 255, (*canvas, 3), np.uint8),
                "image_size": gymnasium.spaces.Box(0, max(canvas), (2,), np.int32),
            }
        )
        self._canvas = canvas
        self._options = dict(options or {})
        self._client = GymClient(url, key, timeout_s)
        self._image = np.full((*canvas, 3), 255, np.uint8)
        self._image_size = np.zeros(2, np.int32)
        self._step_index = 0
        self._done = True
        #: The episode, which is also the trajectory's id; it is new each time, so it is not in `info`.
        self.episode_id: str | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        # Drawn always, so that an option given once does not move what comes later.
        index = int(self.np_random.integers(INDEX_MAX))
        asked = {**self._options, **(options or {})}
        if "item_id" not in asked:
            asked.setdefault("index", index)
        self._end()
        begun = self._client.begin([asked])[0]
        if "problem" in begun:
            raise GymProblem(begun["problem"])
        self.episode_id = begun["episode_id"]
        self._step_index = 0
        self._done = False
        self._image[:] = 255
        self._image_size[:] = 0
        about = ("item_id", "family", "kind", "question", "choices")
        return self._told(begun["observation"], {name: begun[name] for name in about})

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if self._done or self.episode_id is None:
            raise gymnasium.error.ResetNeeded("the episode has ended, or none has begun: call reset()")
        turn = {"episode_id": self.episode_id, "action": action, "step_index": self._step_index}
        taken = self._client.step([turn])[0]
        if "problem" in taken:
            raise GymProblem(taken["problem"])
        self._step_index += 1
        self._done = bool(taken["done"])
        about = ("step_index", "action_kind", "valid", "codes", "heard", "env_step_reward", "score", "end_reason")
        observation, info = self._told(taken["observation"], {name: taken[name] for name in about})
        truncated = bool(taken["truncated"])
        return observation, float(taken["reward"] or 0.0), self._done and not truncated, truncated, info

    def render(self) -> np.ndarray | None:
        if self.render_mode is None:
            return None
        return self._image.copy()

    def close(self) -> None:
        self._end()
        self._client.close()

    def _end(self) -> None:
        if self.episode_id is None or self._done:
            return
        try:
            self._client.end(self.episode_id)
        except (OSError, GymProblem):
            # A gym that is gone, or has ended it itself, has nothing left to end.
            pass
        self._done = True

    def _told(self, observation: Mapping[str, Any], about: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        for picture in observation["images"]:
            self._show(base64.b64decode(picture["data"]))
        info = {
            **about,
            "messages": observation["messages"],
            "turns_left": observation["turns_left"],
            "image_ids": [picture["image_id"] for picture in observation["images"]],
            "is_error": observation["is_error"],
        }
        told = {"text": observation["text"], "image": self._image.copy(), "image_size": self._image_size.copy()}
        return told, info

    def _show(self, png: bytes) -> None:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        height, width = pixels.shape[:2]
        if height > self._canvas[0] or width > self._canvas[1]:
            raise ValueError(f"the picture has {height} x {width} pixels: make the canvas {self._canvas} larger")
        self._image[:] = 255
        self._image[:height, :width] = pixels
        self._image_size[:] = (height, width)
