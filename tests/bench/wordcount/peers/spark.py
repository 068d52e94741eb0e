"""Word count in Spark Structured Streaming: a file or two a batch, counts kept."""

import os
import statistics
import sys

import timed

os.environ["PYSPARK_PYTHON"] = sys.executable  # its workers need the same packages

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402

PROVIDERS = "org.apache.spark.sql.execution.streaming.state."
FILES_A_BATCH = 2 if "durable" in timed.options else 1  # two last about a second

spark = SparkSession.builder.master(f"local[{timed.CORES}]").config(map={
    "spark.driver.memory": "8g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": timed.CORES,
    "spark.sql.streaming.stateStore.providerClass": PROVIDERS + (
        "RocksDBStateStoreProvider" if "rocksdb" in timed.options
        else "HDFSBackedStateStoreProvider"),
}).getOrCreate()

split = f.split("value", " ")
if "python" in timed.options:
    # Pickled rows, because Arrow, the default, is slower for this function.
    split = f.udf(lambda line: line.split(" "), "array<string>", useArrow=False)("value")
lines = spark.readStream.option("maxFilesPerTrigger", FILES_A_BATCH).text(timed.all_files)
counts = lines.select(f.explode(split).alias("word")).groupBy("word").count()

timed.begin()
checkpoint = f"{timed.scratch}/checkpoint"
query = (counts.writeStream.format("noop").outputMode("update")
         .option("checkpointLocation", checkpoint).trigger(availableNow=True).start())
query.awaitTermination()
millis = [p["batchDuration"] for p in query.recentProgress if p["numInputRows"]]
warm = millis[-12 // FILES_A_BATCH:]
timed.end(FILES_A_BATCH * timed.words_per_file / (statistics.median(warm) / 1000))

# The counts that the timed query left behind.
state = spark.read.format("statestore").load(checkpoint)
state.selectExpr("key.word AS word", "value.count AS n").write.json(f"{timed.scratch}/out")
