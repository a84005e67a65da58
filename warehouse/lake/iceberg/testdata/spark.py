"""Reads Iceberg tables with Apache Spark, as interop_test.go asks for it.

A job comes on standard input: {"conf": {…}, "queries": {name: SQL, …}}. The answers go to the file named by
the first argument: {name: [[text or null, …], …]}, or {name: "error: …"}.
"""

import json
import sys
import time

from pyspark.sql import SparkSession


def text(value):
    return None if value is None else str(value)


def main():
    job = json.load(sys.stdin)
    builder = SparkSession.builder.master("local[2]").appName("interop")
    for key, value in job["conf"].items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    answers = {}
    for name, query in job["queries"].items():
        print(time.strftime("%H:%M:%S"), name, file=sys.stderr, flush=True)
        try:
            answers[name] = [[text(v) for v in row] for row in spark.sql(query).collect()]
        except Exception as failure:  # each query answers for itself
            answers[name] = "error: " + str(failure)[:2000]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(answers, out)
    spark.stop()


main()
