"""An episode through the official client of OpenEnv, unchanged. stdin: {url, plays: [{reset, turns}]}."""

import asyncio
import json
import sys

from openenv.core.generic_client import GenericEnvClient


async def played(url, play):
    async with GenericEnvClient(base_url=url) as env:
        result = await env.reset(**play["reset"])
        told = {
            "question": result.observation["question"],
            "picture": result.observation["images"][0]["data"],
            "steps": [],
        }
        for turn in play["turns"]:
            result = await env.step({"text": turn})
            told["steps"].append(
                {
                    "reward": result.reward,
                    "done": result.done,
                    "text": result.observation["text"],
                    "codes": result.observation["codes"],
                }
            )
        told["state"] = await env.state()
        return told


async def refused(url):
    async with GenericEnvClient(base_url=url) as env:
        try:
            await env.reset(difficulty=3)
        except RuntimeError as error:
            return str(error)
    return None


async def main():
    asked = json.load(sys.stdin)
    plays = await asyncio.gather(*(played(asked["url"], play) for play in asked["plays"]))
    print(json.dumps({"plays": plays, "refused": await refused(asked["url"])}))


asyncio.run(main())
