"""Queries for Spark over Delta tables in a folder, run on this machine.

stdin: {"jars", "blobs", "cases": [{"sql", "counts_sql", "tables", "output"}]}: rows go to output as one Parquet file.
stdout: {"counts": of each case {why: n}, "" for those that are in}.
"""

import glob
import json
import os
import sys

from pyspark.sql import SparkSession

asked = json.load(sys.stdin)
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", ",".join(glob.glob(asked["jars"] + "/*.jar")))
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.databricks.delta.snapshotPartitions", "1")
    .config("spark.sql.ansi.enabled", "true")
    .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    # Of a few rows: to compile takes longer than to run.
    .config("spark.sql.codegen.wholeStage", "false")
    .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.extraJavaOptions", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
    .config("spark.ui.enabled", "false")
    .config("spark.local.dir", os.environ["WORK"])
    .config("spark.sql.warehouse.dir", os.environ["WORK"] + "/warehouse")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")


def run(case):
    for table in case["tables"]:
        frame = spark.read.format("delta").option("versionAsOf", table["version"]).load(f"{asked['blobs']}/{table['path']}")
        frame.createOrReplaceTempView(table["name"])
    spark.sql(case["sql"]).coalesce(1).write.parquet(case["output"])
    return {row["left_out"] or "": row["n"] for row in spark.sql(case["counts_sql"]).collect()}


print(json.dumps({"counts": [run(case) for case in asked["cases"]]}))
sys.stdout.flush()
# Its shutdown looks for files that are of no use any more.
os._exit(0)
