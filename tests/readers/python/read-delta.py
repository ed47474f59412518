"""Delta tables of a lake in a folder, read by delta-rs, Polars, DuckDB and ClickHouse: rows, keys and a sum of each."""

import json
import os
import sys

import chdb
import polars
from deltalake import DeltaTable
from duck import connect

asked = json.load(sys.stdin)
# ClickHouse reads inside its working folder only.
os.chdir(asked["root"])
duck = connect("delta")
duck.execute("set threads = 1")


def by_duckdb(path, key, total):
    columns = ", ".join(f'"{name}"' for name in key)
    return duck.execute(
        f"select count(*), count(distinct ({columns})), coalesce(sum(\"{total}\"), 0) from delta_scan('{path}')"
    ).fetchone()


def by_polars(path, key, total):
    frame = polars.scan_delta(path).select([*key, polars.col(total).alias("the total")]).collect()
    return frame.height, frame.select(key).unique().height, frame["the total"].sum() or 0


def by_delta_rs(path, key, total, version=None):
    table = DeltaTable(path, version=version).to_pyarrow_table(columns=list(dict.fromkeys([*key, total])))
    frame = polars.from_arrow(table)
    return frame.height, frame.select(key).unique().height, frame[total].sum() or 0


def by_clickhouse(path, key, total):
    columns = ", ".join(f"`{name}`" for name in key)
    answer = chdb.query(
        f"select count(), uniqExact(tuple({columns})), coalesce(sum(`{total}`), 0) from deltaLakeLocal('{path}') format JSONCompact"
    )
    return [int(value) for value in json.loads(answer.bytes())["data"][0]]


READERS = {"delta-rs": by_delta_rs, "Polars": by_polars, "DuckDB": by_duckdb, "ClickHouse": by_clickhouse}

answers = []
for name in asked["readers"]:
    for table, (key, total) in asked["tables"].items():
        rows, keys, added = READERS[name](f"{asked['root']}/{table}", key, total)
        answers.append({"reader": name, "table": table, "rows": rows, "keys": keys, "sum": int(added)})
versions = []
for table in asked.get("versions", []):
    key, total = asked["tables"][table]
    newest = DeltaTable(f"{asked['root']}/{table}").version()
    for version in range(newest + 1):
        rows, keys, added = by_delta_rs(f"{asked['root']}/{table}", key, total, version)
        versions.append({"table": table, "version": version, "rows": rows, "keys": keys})
print(json.dumps({"answers": answers, "versions": versions}))
