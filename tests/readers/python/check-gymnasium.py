"""Gymnasium's own checker over the environment of clients/python, and an episode. stdin: {url, key, turns, options}."""

import json
import sys
import warnings

import gymnasium
import stepstore_gym
from gymnasium.utils.env_checker import check_env

asked = json.load(sys.stdin)
settings = {"url": asked["url"], "key": asked["key"]}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    checked = gymnasium.make("stepstore/VistaGym-v0", **settings, options=asked["options"], render_mode="rgb_array")
    check_env(checked.unwrapped)
    checked.close()

env = gymnasium.make("stepstore/VistaGym-v0", **settings, options=asked["options"])
observation, info = env.reset(options={"index": 0})
told = {"question": info["question"], "size": observation["image_size"].tolist(), "steps": []}
for turn in asked["turns"]:
    observation, reward, terminated, truncated, info = env.step(turn)
    told["steps"].append({"reward": reward, "terminated": terminated, "truncated": truncated, "text": observation["text"]})
try:
    env.unwrapped.step("after the end")
except gymnasium.error.ResetNeeded:
    told["after"] = "ResetNeeded"
try:
    env.reset(options={"famly": "chart"})
except stepstore_gym.GymProblem as problem:
    told["refused"] = [problem.code, problem.hint]

# The same seed, the same items; another one, others.
seen = [env.reset(seed=seed)[1]["item_id"] for seed in (5, 5, 6)]
env.close()
client = stepstore_gym.GymClient(**settings)
told["open"] = client.about()["episodes_open"]
batch = client.begin([{**asked["options"], "index": n} for n in range(3)])
step = [{"episode_id": one["episode_id"], "action": asked["turns"][0], "step_index": 0} for one in batch]
told["twice"] = client.step(step) == client.step(step)
for one in batch:
    client.end(one["episode_id"])
print(json.dumps({**told, "seen": seen, "warnings": [str(one.message) for one in warned]}))
