"""Word count in Bytewax, two processes of one worker: Python threads would share one core."""

import multiprocessing
import socket
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import timed
from bytewax.connectors.files import DirSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

# The default is best for few keys; ten times that is five times as fast for 100k keys.
LINES_A_BATCH = 1_000 if int(timed.keys) < 10_000 else 10_000


class JsonLines(DynamicSink, StatelessSinkPartition):
    def __init__(self, path):
        self.out = open(path, "w")

    def build(self, _step_id, _worker_index, _worker_count):
        return self

    def write_batch(self, items):
        self.out.writelines(f'{{"word":"{word}","n":{n}}}\n' for word, n in items)

    def close(self):
        self.out.close()


def work(process, addresses, folder, out):
    flow = Dataflow("wordcount")
    lines = op.input("lines", flow, DirSource(Path(folder), batch_size=LINES_A_BATCH))
    words = op.flat_map("words", lines, str.split)
    counts = op.count_final("counts", words, lambda word: word)
    op.output("out", counts, JsonLines(f"{out}/{process}"))
    recovery = {}
    if "durable" in timed.options:
        store = f"{out}.recovery"
        recovery = {"epoch_interval": timedelta(seconds=1), "recovery_config": RecoveryConfig(store)}
    cli_main(flow, process_id=process, addresses=addresses, **recovery)


def count(folder, name):
    out = Path(timed.scratch, "out" if name == "all" else name)
    out.mkdir()
    if "durable" in timed.options:
        store = Path(f"{out}.recovery")
        store.mkdir()
        init_db_dir(store, int(timed.CORES))
    addresses = [f"localhost:{port}" for port in free_ports(int(timed.CORES))]
    workers = [multiprocessing.Process(target=work, args=(process, addresses, folder, out))
               for process in range(len(addresses))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a worker failed")


def free_ports(number):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


timed.marginal(count)
