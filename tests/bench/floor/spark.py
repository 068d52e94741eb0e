"""Batches of two rows through Spark Structured Streaming: prints how long each took, by phase."""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

scratch, batches = Path(sys.argv[1]), int(sys.argv[2])
spark = SparkSession.builder.master("local[2]").config(map={
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": 2,
    "spark.sql.streaming.numRecentProgressUpdates": batches + 10,
}).getOrCreate()

(scratch / "in").mkdir()
for number in range(batches):
    (scratch / "in" / f"{number:06}.txt").write_text("to be\nor not\n")

lines = spark.readStream.option("maxFilesPerTrigger", 1).text(str(scratch / "in"))
counts = lines.select(f.explode(f.split("value", " ")).alias("word")).groupBy("word").count()
query = (counts.writeStream.format("noop").outputMode("update")
         .option("checkpointLocation", str(scratch / "checkpoint"))
         .trigger(availableNow=True).start())
query.awaitTermination()
for progress in query.recentProgress:
    if progress["numInputRows"]:
        phases = dict(progress["durationMs"])
        print(json.dumps({"whole": phases.pop("triggerExecution"), **phases}))
