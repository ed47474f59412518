"""A dataset made by Spark, for sets that one machine is too small for: the rows of /v1/datasets, from the Delta tables.

    spark-submit --packages io.delta:delta-spark_2.13:4.0.0,org.apache.hadoop:hadoop-aws:3.4.1 infra/spark/dataset.py \
        --url 'https://stepstore.example.org/v1/datasets/sft.parquet?run=r1&correct=true' \
        --blobs s3a://bucket/prefix --output s3a://training/r1

The server is asked once, for the query and for the versions of the tables that make its snapshot; the rows are read from
the bucket. The key, where one is needed, is taken from STEPSTORE_KEY. Without --output nothing is written and the rows are
counted. The last line that is printed is JSON: the snapshot, how many rows there are, and how many trajectories are in
or left out, by reason.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from pyspark.sql import SparkSession


def asked():
    parser = argparse.ArgumentParser(description="Makes a dataset of Stepstore with Spark.")
    parser.add_argument("--url", required=True, help="the dataset, such as https://host/v1/datasets/sft.parquet?run=r1")
    parser.add_argument("--blobs", required=True, help="where the blobs lie, as Spark names it: s3a://bucket/prefix")
    parser.add_argument("--output", help="the folder for the Parquet files; must not be there yet")
    parser.add_argument("--no-counts", action="store_true", help="do not count what is left out, which reads the raw events")
    return parser.parse_args()


def query_of(dataset_url):
    """What the server says of the dataset: {recipe, snapshot, url, sql, counts_sql, tables}."""
    parts = urllib.parse.urlsplit(dataset_url)
    url = urllib.parse.urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/spark"))
    key = os.environ.get("STEPSTORE_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=90) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode(errors='replace')}")


def main():
    args = asked()
    dataset = query_of(args.url)
    builder = SparkSession.builder.appName(f"stepstore {dataset['recipe']} of snapshot {dataset['snapshot']}")
    settings = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Instants as every reader knows them, and not as INT96.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.session.timeZone": "UTC",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for table in dataset["tables"]:
        frame = spark.read.format("delta").option("versionAsOf", table["version"])
        frame.load(f"{args.blobs.rstrip('/')}/{table['path']}").createOrReplaceTempView(table["name"])
    rows = spark.sql(dataset["sql"])
    if args.output:
        rows.write.option("compression", "zstd").parquet(args.output)
        n_rows = spark.read.parquet(args.output).count()
    else:
        n_rows = rows.count()
    counts = {} if args.no_counts else {row["left_out"]: row["n"] for row in spark.sql(dataset["counts_sql"]).collect()}
    report = {
        "snapshot": dataset["snapshot"],
        "url": dataset["url"],
        "output": args.output,
        "rows": n_rows,
        "trajectories": counts.pop(None, 0) if not args.no_counts else None,
        "left_out": counts if not args.no_counts else None,
    }
    print(json.dumps(report), flush=True)
    spark.stop()


main()
