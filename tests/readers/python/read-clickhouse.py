import json

from cases import answered, cases, finish
from chdb import session


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


FORMATS = {"parquet": "Parquet", "jsonl": "JSONEachRow", "csv": "CSVWithNames", "arrow": "Arrow"}

with session.Session() as clickhouse:

    def rows(source):
        text = str(clickhouse.query(f"select trajectory_id, reward from {source}", "JSONCompactEachRow"))
        return zip(*(json.loads(line) for line in text.splitlines()))

    for case in cases:
        name = FORMATS[case["format"]]
        headers = "" if case["key"] is None else f", headers('Authorization'={quoted('Bearer ' + case['key'])})"
        answered("url()", case, *rows(f"url({quoted(case['url'])}, {name}{headers})"))
        answered("token", case, *rows(f"url({quoted(case['token_url'])}, {name})"))
finish()
