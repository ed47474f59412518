from cases import answered, cases, finish
from duck import connect


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


READS = {"parquet": "read_parquet", "jsonl": "read_json", "csv": "read_csv"}

for case in cases:
    if case["format"] not in READS:
        continue
    with connect("httpfs") as db:
        if case["key"] is not None:
            db.execute(f"create secret (type http, bearer_token {quoted(case['key'])})")
        read = READS[case["format"]]
        url = quoted(case["url"])
        rows = db.execute(f"select trajectory_id, reward from {read}({url})").fetchall()
        answered(read, case, *zip(*rows))
        if case["has_extension"] and case["format"] != "csv":
            rows = db.execute(f"select trajectory_id, reward from {url}").fetchall()
            answered("from 'url'", case, *zip(*rows))
        rows = db.execute(f"select distinct trajectory_id, reward from {read}([{url}, {url}])").fetchall()
        answered("two URLs", case, *zip(*rows))
    with connect("httpfs") as db:
        rows = db.execute(f"select trajectory_id, reward from {read}({quoted(case['token_url'])})").fetchall()
        answered("token", case, *zip(*rows))
finish()
