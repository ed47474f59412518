"""Rows of pairs of Parquet files, in order, as DuckDB reads them. stdin: {"pairs": [[left, right]]}, files or URLs.
stdout: {"answers": of each pair {"columns": [left, right], "rows": [n, n], "first_difference": null or [row, left, right]}}."""

import json
import sys

from duck import connect

db = connect("httpfs")


def read(source):
    columns = [row[:2] for row in db.execute("describe select * from read_parquet(?)", [source]).fetchall()]
    rows = db.execute("select cast(to_json(r) as varchar) from read_parquet(?) r", [source]).fetchall()
    return columns, [row for (row,) in rows]


def compared(left, right):
    (left_columns, left_rows), (right_columns, right_rows) = read(left), read(right)
    differences = ([at, a, b] for at, (a, b) in enumerate(zip(left_rows, right_rows)) if a != b)
    return {
        "columns": [left_columns, right_columns],
        "rows": [len(left_rows), len(right_rows)],
        "first_difference": next(differences, None),
    }


print(json.dumps({"answers": [compared(*pair) for pair in json.load(sys.stdin)["pairs"]]}))
