"""Episodes through the environment of clients/python, one after the other. stdin: {url, plays: [{options, turns}]}."""

import json
import sys

import gymnasium
import stepstore_gym  # noqa: F401 - registers the environment

asked = json.load(sys.stdin)
env = gymnasium.make("stepstore/VistaGym-v0", url=asked["url"])
told = []
for play in asked["plays"]:
    env.reset(options=play["options"])
    steps = [env.step(turn) for turn in play["turns"]]
    told.append({"rewards": [step[1] for step in steps], "texts": [step[0]["text"] for step in steps]})
env.close()
print(json.dumps(told))
