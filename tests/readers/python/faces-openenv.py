"""Episodes through the official client of OpenEnv, one after the other. stdin: {url, plays: [{options, turns}]}."""

import asyncio
import json
import sys

from openenv.core.generic_client import GenericEnvClient


async def played(url, options, turns):
    told = {"rewards": [], "texts": []}
    async with GenericEnvClient(base_url=url) as env:
        await env.reset(episode_id=options.pop("trajectory_id"), **options)
        for turn in turns:
            result = await env.step({"text": turn})
            told["rewards"].append(result.reward)
            told["texts"].append(result.observation["text"])
    return told


async def main():
    asked = json.load(sys.stdin)
    print(json.dumps([await played(asked["url"], play["options"], play["turns"]) for play in asked["plays"]]))


asyncio.run(main())
