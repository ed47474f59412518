"""Reads tar archives with WebDataset, by its own curl and by a pipe with a header.

stdin: {"cases": [{"url", "key", "token_url"}]}. stdout: {"answers": [{"way", "case", "rows", "images": [[width, height], …]}]}.
"""

import json
import shlex
import sys

import webdataset

cases = json.load(sys.stdin)["cases"]
answers = []
for index, case in enumerate(cases):
    header = [] if case["key"] is None else ["--header", f"Authorization: Bearer {case['key']}"]
    pipe = "pipe:" + shlex.join(["curl", "--silent", "--fail", *header, case["url"]])
    for way, source in (("curl", case["token_url"]), ("pipe", pipe)):
        rows, images = [], []
        for sample in webdataset.WebDataset(source, shardshuffle=False).decode("pil"):
            rows.append([sample["json"]["trajectory_id"], sample["json"]["reward"]])
            images += [list(value.size) for name, value in sample.items() if name.endswith(("png", "jpg", "webp"))]
        answers.append({"way": way, "case": index, "rows": sorted(rows), "images": images})
print(json.dumps({"answers": answers}))
