"""Word count in Flink SQL with mini-batches."""

import os

import timed

os.environ["JVM_ARGS"] = "-Xmx8g"

from pyflink.table import EnvironmentSettings, TableEnvironment  # noqa: E402

table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())


def create(name, columns, **options):
    options = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    table.execute_sql(f"CREATE TABLE `{name}` ({columns}) WITH ({options})")


def counts(lines):
    return f"""SELECT word, COUNT(*) AS n
        FROM `{lines}` CROSS JOIN UNNEST(SPLIT(line, ' ')) AS t (word) GROUP BY word"""


def count(_folder, lines):
    table.execute_sql(f"INSERT INTO nowhere {counts(lines)}").wait()


mini_batch = "table.exec.mini-batch."
table.get_config().set("parallelism.default", timed.CORES)
table.get_config().set(mini_batch + "enabled", "true")
table.get_config().set(mini_batch + "allow-latency", "1 s")
table.get_config().set(mini_batch + "size", "50000")
if "durable" in timed.options:
    table.get_config().set("execution.checkpointing.interval", "1 s")
    table.get_config().set("execution.checkpointing.mode", "EXACTLY_ONCE")
    table.get_config().set("execution.checkpointing.storage", "filesystem")
    table.get_config().set("execution.checkpointing.dir", f"file://{timed.scratch}/checkpoints")
create("all", "line STRING", connector="filesystem", path=timed.all_files, format="raw")
create("few", "line STRING", connector="filesystem", path=timed.few_files, format="raw")
create("nowhere", "word STRING, n BIGINT", connector="blackhole")

count(timed.few_files, "few")  # warms up the JVM
timed.marginal(count)

if "check" in timed.options:
    # The same query once more, as a log of its changes; large mini-batches keep that short, and
    # the sink publishes its files with a checkpoint only.
    table.get_config().set(mini_batch + "allow-latency", "10 min")
    table.get_config().set(mini_batch + "size", "1000000000")
    table.get_config().set("execution.checkpointing.interval", "1 min")
    create("changes", "op STRING, word STRING, n BIGINT", connector="filesystem",
           path=f"{timed.scratch}/out", format="json")
    table.execute_sql(f"CREATE TEMPORARY VIEW counts AS {counts('all')}")
    table.execute_sql(
        "INSERT INTO changes SELECT op, word, n FROM TO_CHANGELOG(input => TABLE counts)").wait()
