"""What every reader script is given and answers.

stdin: {"cases": [{"url", "key", "token_url", "format", "dataset"}]}: `key` goes into a header (null: none is asked for),
`token_url` has it inside. stdout: {"answers": [{"way", "case", "rows": [[trajectory_id, reward], …]}]}.
"""

import json
import math
import sys

given = json.load(sys.stdin)
cases = given["cases"]
answers = []


def bearer(case):
    """The headers that a case needs."""
    return {} if case["key"] is None else {"Authorization": f"Bearer {case['key']}"}


def answered(way, case, ids, rewards):
    """Notes what a way of reading gave for a case."""
    plain = [None if reward is None or math.isnan(reward) else float(reward) for reward in rewards]
    rows = sorted([str(name), reward] for name, reward in zip(ids, plain, strict=True))
    answers.append({"way": way, "case": cases.index(case), "rows": rows})


def finish(**more):
    """Writes the answers, as the last line."""
    print(json.dumps({"answers": answers, **more}), flush=True)
