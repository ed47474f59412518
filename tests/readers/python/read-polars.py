import polars
from cases import answered, cases, finish

# Polars sends no header of its own to http, so the key is in the URL.
for case in cases:
    url = case["token_url"]
    if case["format"] == "parquet":
        frame = polars.read_parquet(url)
        answered("read_parquet", case, frame["trajectory_id"], frame["reward"])
        frame = polars.scan_parquet(url).select("trajectory_id", "reward").filter(polars.col("reward") > -9).collect()
        answered("scan_parquet", case, frame["trajectory_id"], frame["reward"])
        frame = polars.scan_parquet([url, url]).select("trajectory_id", "reward").unique().collect()
        answered("scan_parquet, two", case, frame["trajectory_id"], frame["reward"])
    if case["format"] == "jsonl":
        frame = polars.scan_ndjson(url, infer_schema_length=None).select("trajectory_id", "reward").collect()
        answered("scan_ndjson", case, frame["trajectory_id"], frame["reward"])
    if case["format"] == "csv":
        frame = polars.scan_csv(url, infer_schema_length=None).select("trajectory_id", "reward").collect()
        answered("scan_csv", case, frame["trajectory_id"], frame["reward"])
    if case["format"] == "arrow":
        frame = polars.scan_ipc(url).select("trajectory_id", "reward").collect()
        answered("scan_ipc", case, frame["trajectory_id"], frame["reward"])
finish()
