import os

import datasets
from cases import answered, bearer, cases, finish, given

datasets.disable_progress_bars()
BUILDERS = {"parquet": "parquet", "jsonl": "json", "csv": "csv", "arrow": "arrow"}


def load(case, url, **more):
    return datasets.load_dataset(BUILDERS[case["format"]], data_files=url, split="train", **more)


for case in cases:
    options = {} if case["key"] is None else {"storage_options": {"headers": bearer(case)}}
    rows = load(case, case["url"], **options)
    answered("load_dataset", case, rows["trajectory_id"], rows["reward"])
    rows = list(load(case, case["url"], streaming=True, **options))
    answered("streaming", case, [row["trajectory_id"] for row in rows], [row["reward"] for row in rows])
    rows = load(case, case["token_url"])
    answered("token", case, rows["trajectory_id"], rows["reward"])

kept = []
for url in given.get("twice", []):
    found = []
    for _ in range(2):
        rows = datasets.load_dataset("parquet", data_files=url, split="train")
        file = rows.cache_files[0]["filename"]
        found.append((len(rows), file, os.stat(file).st_mtime_ns))
    first, again = found
    kept.append({"rows": [first[0], again[0]], "files": [first[1], again[1]], "changed": first[2] != again[2]})
finish(kept=kept)
