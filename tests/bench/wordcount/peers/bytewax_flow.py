"""Word count in Bytewax with one worker."""

from pathlib import Path

import bytewax.operators as op
import timed
from bytewax.connectors.files import DirSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main


class JsonLines(DynamicSink, StatelessSinkPartition):
    def __init__(self, path):
        self.out = open(path, "w")

    def build(self, _step_id, _worker_index, _worker_count):
        return self

    def write_batch(self, items):
        self.out.writelines(f'{{"word":"{word}","n":{n}}}\n' for word, n in items)

    def close(self):
        self.out.close()


def count(folder, name):
    flow = Dataflow("wordcount")
    lines = op.input("lines", flow, DirSource(Path(folder)))
    words = op.flat_map("words", lines, str.split)
    counts = op.count_final("counts", words, lambda word: word)
    op.output("out", counts, JsonLines(f"{timed.scratch}/{name}"))
    cli_main(flow)


timed.marginal(count)
Path(timed.scratch, "all").rename(Path(timed.scratch, "out"))
