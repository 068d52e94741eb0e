"""From samples to the table that is printed."""

import os
import subprocess
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from .contenders import ALL
from .setup import FILES, PEERS, REPO

HEAD = ["", "s min", "median", "max", "M words/s", "a core", "CPU s", "RSS MB", "ours ÷", "a core ÷",
        "result", "rate; state"]


def header(asked):
    git = ["git", "-C", str(REPO), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "none yet"
    model = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0].strip("\t: ")
    return f"""\
Word count, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}
{os.cpu_count()} cores, {model or 'unknown'}; load before the start {os.getloadavg()[0]:.2f}
{asked.lines} lines of 8 words in {FILES} files; {asked.repetitions} repetitions
peers: {', '.join(pins[0] for pins in PEERS.values())}"""


@dataclass
class Row:
    name: str
    samples: list
    threads: int
    note: str
    fault: str

    def rate(self):
        return median(each.rate for each in self.samples)


def rows(samples, reference, words):
    made = []
    for name, taken in samples.items():
        sums = {each.checksum for each in taken} - {None}
        faults = [each.fault for each in taken if each.fault]
        fault = faults[0] if faults else "equal" if sums == {reference} else f"VOID: {sums or 'no result'}"
        made.append(Row(name, taken, ALL[name].threads, ALL[name].note, fault))
        if all(each.batch_seconds for each in taken):
            inside = [replace(each, seconds=each.batch_seconds, rate=words / each.batch_seconds) for each in taken]
            made.append(Row(f"{name}, batch only", inside, ALL[name].threads, "without start and stop", fault))
    return made


def render(made):
    ours = next((row for row in made if row.name == "ours" and row.fault == "equal"), None)
    lines = [HEAD] + [cells(row, ours) for row in made]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column in (0, 10, 11) else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def cells(row, ours):
    seconds = [each.seconds for each in row.samples]
    ratio = ours.rate() / row.rate() if ours and row.fault == "equal" else None
    return [
        row.name,
        *(f"{each:.2f}" for each in (min(seconds), median(seconds), max(seconds))),
        f"{row.rate() / 1e6:.2f}",
        f"{row.rate() / row.threads / 1e6:.2f}",
        f"{median(each.cpu_seconds for each in row.samples):.1f}",
        f"{max(each.peak for each in row.samples) / 1e6:.0f}",
        f"{ratio:.2f}" if ratio else "",
        f"{ratio * row.threads / ours.threads:.2f}" if ratio else "",
        row.fault,
        row.note,
    ]
