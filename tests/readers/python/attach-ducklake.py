"""Attaches a frozen DuckLake and answers what is in it.

stdin: {"url", "key", "versions": [snapshot, …], "compared": [table, …], "queries": {name: SQL over schema s}}.
stdout: {"duckdb", "tables": {table: {version: rows}}, "wrong": [[table, condition, pushed, counted]], "answers": {name: rows},
"comments"}.
"""

import json
import sys

from duck import connect, duckdb

given = json.load(sys.stdin)
db = connect("httpfs", "ducklake")
if given["key"] is not None:
    db.execute("create secret (type http, bearer_token '" + given["key"].replace("'", "''") + "')")
db.execute(f"attach 'ducklake:{given['url']}' as s")


def rows(sql):
    return db.execute(sql).fetchall()


tables = [name for (name,) in rows("select table_name from duckdb_tables() where database_name = 's' order by all")]
counts = {
    table: {version: rows(f"select count(*) from s.{table} at (version => {version})")[0][0] for version in given["versions"]}
    for table in tables
}

# A filter that is pushed down to files and their statistics must find what the same filter finds behind an aggregate.
wrong = []
for table in given["compared"]:
    columns = rows(f"select column_name, data_type from duckdb_columns() where database_name = 's' and table_name = '{table}'")
    plain = [name for name, kind in columns if "STRUCT" not in kind and "[]" not in kind and kind not in ("BLOB", "BOOLEAN")]
    medians = rows("select " + ", ".join(f'quantile_disc("{name}", 0.5)::varchar' for name in plain) + f" from s.{table}")[0]
    conditions = [f'"{name}" is null' for name, _ in columns]
    for name, median in zip(plain, medians, strict=True):
        if median is not None:
            conditions.append(f'"{name}" >= ' + "'" + median.replace("'", "''") + "'")
    counted = rows("select " + ", ".join(f"count(*) filter (where {each})" for each in conditions) + f" from s.{table}")[0]
    for condition, expected in zip(conditions, counted, strict=True):
        pushed = rows(f"select count(*) from s.{table} where {condition}")[0][0]
        if pushed != expected:
            wrong.append([table, condition, pushed, expected])

answers = {name: [list(row) for row in rows(sql)] for name, sql in given["queries"].items()}
comments = dict(rows("select table_name, comment from duckdb_tables() where database_name = 's'"))
print(json.dumps({"duckdb": duckdb.__version__, "tables": counts, "wrong": wrong, "answers": answers, "comments": comments}))
