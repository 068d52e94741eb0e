"""What the scripts of all peers share: their arguments, and the marks that the runner times by."""

import json
import sys
import time

# The folder of inputs, a folder for this run, all words, distinct words, the peer's options.
inputs, scratch, words, keys, *options = sys.argv[1:]
FILES, FEW, CORES = 20, 4, "2"
words_per_file = int(words) / FILES
all_files, few_files = f"{inputs}/all", f"{inputs}/few"


def begin():
    print(json.dumps({"mark": "begin"}), flush=True)


def end(words_per_second):
    print(json.dumps({"mark": "end", "words_per_second": words_per_second}), flush=True)


def marginal(count):
    """Times count(folder, name) of few and of all files: their difference has no start in it."""
    start = time.monotonic()
    count(few_files, "few")
    begin()
    middle = time.monotonic()
    count(all_files, "all")
    more_seconds = (time.monotonic() - middle) - (middle - start)
    end((FILES - FEW) * words_per_file / more_seconds)
