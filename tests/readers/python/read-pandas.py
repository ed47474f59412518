import pandas
from cases import answered, bearer, cases, finish

for case in cases:
    headers = bearer(case)
    if case["format"] == "parquet":
        frame = pandas.read_parquet(case["url"], storage_options=headers)
        answered("read_parquet", case, frame.trajectory_id, frame.reward)
        frame = pandas.read_parquet(case["token_url"], columns=["trajectory_id", "reward"], filters=[("reward", ">", -9)])
        answered("read_parquet, columns", case, frame.trajectory_id, frame.reward)
    if case["format"] == "jsonl":
        frame = pandas.read_json(case["url"], lines=True, storage_options=headers)
        answered("read_json", case, frame.trajectory_id, frame.reward)
    if case["format"] == "csv":
        frame = pandas.read_csv(case["url"], storage_options=headers)
        answered("read_csv", case, frame.trajectory_id, frame.reward)
    if case["format"] == "arrow":
        frame = pandas.read_feather(case["url"], storage_options=headers)
        answered("read_feather", case, frame.trajectory_id, frame.reward)
finish()
