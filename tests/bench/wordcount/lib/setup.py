"""What is there before anything is timed: peers, inputs, binaries, all outside the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
REPO = HERE.parents[2]
FILES, FEW, SEED, COPIES = 20, 4, 1, 8

PEERS = {"spark": "pyspark==4.3.0", "flink": "apache-flink==2.3.0", "bytewax": "bytewax==0.21.1"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def cache(name):
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("WEIR_BENCH_CACHE") or Path(home, "weir/bench"), name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def venv(name):
    """The Python of a peer's own environment: they need different versions of the same packages."""
    folder = cache("peers") / PEERS[name]
    installed = folder / "installed"
    if not installed.exists():
        say(f"installing {PEERS[name]}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", PEERS[name]], check=True)
        installed.touch()
    return folder / "bin/python"


def cargo(crate, target):
    env = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    subprocess.run(["cargo", "build", "--release"], cwd=crate, env=env, check=True)
    return target / "release"


def native():
    return cargo(HERE / "native", cache("native")) / "wordcount-native"


def host(given):
    if given:
        return given.resolve(strict=True)
    return cargo(REPO, Path(REPO, os.environ.get("CARGO_TARGET_DIR", "target"))) / "host"


def plugin(host):
    """Built and compiled ahead of time, as it is from the second start of a job on."""
    subprocess.run([host, "build", REPO / "plugins/text"], check=True, stdout=sys.stderr)


def inputs(native, keys, lines):
    """A folder with `all` files and a `few` of them, written once."""
    folder = cache("inputs") / f"{keys}-keys-{lines}-lines-seed-{SEED}"
    if not folder.exists():
        say(f"writing {lines} lines with {keys} distinct words")
        draft = folder.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        shape = map(str, [lines, keys, FILES, SEED])
        subprocess.run([native, "generate", draft / "all", *shape], check=True)
        (draft / "few").mkdir()
        for file in sorted((draft / "all").iterdir())[:FEW]:
            os.link(file, draft / "few" / file.name)
        draft.rename(folder)
    if not (folder / "many").exists():
        draft = folder / "many.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for copy in range(COPIES):
            for file in (folder / "all").iterdir():
                os.link(file, draft / f"{copy}-{file.name}")
        draft.rename(folder / "many")
    return folder
