"""Who counts, how each is started, and what one run of it gives."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from .measure import measure
from .setup import COPIES, HERE, REPO


FILES_A_BATCH, PEER_FILES_A_BATCH = 16, 2


@dataclass
class Case:
    keys: int
    words: int
    inputs: Path
    scratch: Path
    native: Path
    host: Optional[Path]
    pythons: dict  # of each peer

    def checksum(self, path):
        done = subprocess.run([self.native, "checksum", path], capture_output=True, text=True)
        return (done.stdout or done.stderr).strip()

    def copies(self):
        """How many times durable jobs of ours read the files: a batch of theirs is to last about
        as long as one of a peer. So many keys take that long with the files once."""
        return COPIES if self.keys < 1_000_000 else 1

    def reference(self):
        """What everybody's counts must sum up to."""
        out = self.scratch / "reference"
        subprocess.run([self.native, "count", self.inputs / "all", out, "std", "1"], check=True)
        return self.checksum(out)


@dataclass(frozen=True)
class Contender:
    command: Callable  # case, the folder of this run, whether its result is wanted → words
    threads: int
    note: str
    peer: Optional[str] = None
    most_keys: int = 10_000_000
    warm: bool = False  # it warms itself up inside its process
    copies: Callable = lambda case: 1  # how many times it reads the same files
    counts: Optional[Callable] = None  # case, the folder of a run → its counts, where no file has them


@dataclass
class Sample:
    seconds: float
    rate: float  # words per second
    cpu_seconds: float
    peak: int  # bytes
    fault: Optional[str]
    checksum: Optional[str]
    batch_seconds: float  # ours: what its batches say of themselves


def sample(contender, case, check):
    folder, log = case.scratch / "run", case.scratch / "messages"
    for _ in range(1 if contender.warm else 2):  # the last one counts
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        command = contender.command(case, folder, check)
        events, seconds, cpu_seconds, peak, fault = measure(command, log)
    if fault:
        fault += ": " + log.read_text(errors="replace")[-2000:]
    rates = [event["words_per_second"] for event in events if "words_per_second" in event]
    rate = rates[0] if rates else case.words * contender.copies(case) / seconds
    if contender.counts and check and not fault:
        contender.counts(case, folder)
    checksum = case.checksum(folder / "out") if (folder / "out").exists() else None
    batches = [event for event in events if event.get("event") == "batch"]
    batch_seconds = sum(event.get("processing_ms", 0) for event in batches) / 1000
    return Sample(seconds, rate, cpu_seconds, peak, fault, checksum, batch_seconds)


def ours(case, folder, _check):
    job = (HERE / "job.toml").read_text()
    for name, path in {
        "lines": case.inputs / "all/*.txt", "text": REPO / "plugins/text", "out": folder / "out",
    }.items():
        job = job.replace(f'"<{name}>"', json.dumps(str(path)))
    (folder / "job.toml").write_text(job)
    return [case.host, "run", folder / "job.toml", "--once", "--from", "none", "--format", "json"]


def ours_durable(*options):
    """Counts live on over batches of up to a second; each batch is a durable checkpoint, unless
    the options say otherwise."""
    def command(case, folder, _check):
        job = (HERE / "durable.toml").read_text()
        many = case.copies() > 1
        for name, path in {
            "lines": case.inputs / ("many" if many else "all") / "*.txt",
            "text": REPO / "plugins/text",
        }.items():
            job = job.replace(f'"<{name}>"', json.dumps(str(path)))
        job = job.replace('"<files>"', str(FILES_A_BATCH if many else PEER_FILES_A_BATCH))
        (folder / "job.toml").write_text(job)
        return [case.host, "run", folder / "job.toml", "--once", *options, "--format", "json"]
    return command


def kept_counts(case, folder):
    """What the checkpoint has, divided by the number of times that each file was read."""
    copies = case.copies()
    exact = f"""SELECT word, CASE WHEN n % {copies} = 0 THEN n / {copies} ELSE -1 END AS n
        FROM (SELECT word, "counts().2" AS n FROM counts)"""
    with open(folder / "out", "w") as out:
        query = [case.host, "state", "sql", folder / "job.toml", exact, "--format", "json"]
        subprocess.run(query, check=True, stdout=out)


def native(hasher, threads):
    return lambda case, folder, _check: [
        case.native, "count", case.inputs / "all", folder / "out", hasher, threads]


def peer(name, script, *options):
    return lambda case, folder, check: [
        case.pythons[name], HERE / "peers" / script, case.inputs, folder, case.words, case.keys,
        *options, *["check"] * check]


RUST = "whole process; hash map, no engine"
SPARK = "warm batches; streaming, state in memory, its changes to disk each batch"
FLINK = "marginal; streaming, state in memory, no checkpoint"
BYTEWAX = "marginal; streaming, state in memory, no recovery"

ALL = {
    "ours": Contender(ours, 2, "whole process; one batch, its counts end with it"),
    "rust": Contender(native("std", 1), 1, RUST),
    "rust-fast-hash": Contender(native("fold", 1), 1, RUST),
    "rust-2-threads": Contender(native("std", 2), 2, RUST),
    "spark": Contender(peer("spark", "spark.py"), 2, SPARK, "spark", warm=True),
    "spark-python": Contender(
        peer("spark", "spark.py", "python"), 2, SPARK, "spark", 1_000_000, True),
    "flink": Contender(peer("flink", "flink.py"), 2, FLINK, "flink", warm=True),
    "bytewax": Contender(
        peer("bytewax", "bytewax_flow.py"), 2, BYTEWAX, "bytewax", 1_000_000, True),
}

DURABLE = {
    "ours": Contender(
        ours_durable(), 2, "whole process; each batch is a checkpoint", counts=kept_counts,
        copies=Case.copies),
    "ours-unwritten": Contender(
        ours_durable("--from", "none"), 2, "whole process; the same, nothing written",
        copies=Case.copies),
    "spark": Contender(
        peer("spark", "spark.py", "durable"), 2, "warm batches; state in memory, changes to disk",
        "spark", warm=True),
    "spark-rocksdb": Contender(
        peer("spark", "spark.py", "durable", "rocksdb"), 2,
        "warm batches; state in RocksDB, changes to disk", "spark", warm=True),
    "flink": Contender(
        peer("flink", "flink.py", "durable"), 2,
        "marginal; state in memory, checkpoint each second, exactly once", "flink", warm=True),
    "bytewax": Contender(
        peer("bytewax", "bytewax_flow.py", "durable"), 2,
        "marginal; state in memory, its recovery store each second", "bytewax", 1_000_000, True),
}
