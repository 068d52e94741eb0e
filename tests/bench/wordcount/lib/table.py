"""From samples to the table that is printed."""

import os
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from .setup import FILES, PEERS, REPO

HEAD = ["", "s min", "median", "max", "M words/s", "a core", "CPU s", "RSS MB", "ours ÷",
        "a core ÷", "result", "rate; state"]


def header(asked):
    git = ["git", "-C", str(REPO), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "none yet"
    cpu = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0]
    return f"""\
Word count, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}
{os.cpu_count()} cores{cpu.strip(chr(9))}; load before the start {os.getloadavg()[0]:.2f}
{asked.lines} lines of 8 words in {FILES} files; {asked.repetitions} repetitions
peers: {', '.join(PEERS.values())}"""


def fault(samples, reference, unchecked):
    """Why a row doesn't count, or nothing."""
    sums = {each.checksum for each in samples} - {None}
    broken = [each.fault for each in samples if each.fault]
    if broken:
        return broken[0]
    if unchecked and not sums:
        return ""
    return "" if sums == {reference} else f"VOID: {', '.join(sums) or 'no result'}"


def render(samples, faults, words, contenders):
    def rate(taken):
        return median(each.rate for each in taken)

    comparable = faults.get("ours") == ""
    results = {
        name: "equal" if any(each.checksum for each in taken) else "unseen"
        for name, taken in samples.items()}

    def row(name, of, taken, note):
        seconds, threads = [each.seconds for each in taken], contenders[of].threads
        ratio = rate(samples["ours"]) / rate(taken) if comparable and not faults[of] else 0
        return [
            name,
            *(f"{each:.2f}" for each in (min(seconds), median(seconds), max(seconds))),
            f"{rate(taken) / 1e6:.2f}",
            f"{rate(taken) / threads / 1e6:.2f}",
            f"{median(each.cpu_seconds for each in taken):.1f}",
            f"{max(each.peak for each in taken) / 1e6:.0f}",
            f"{ratio:.2f}" if ratio else "",
            f"{ratio * threads / contenders['ours'].threads:.2f}" if ratio else "",
            faults[of] or results[of],
            note,
        ]

    lines = [HEAD]
    for name, taken in samples.items():
        lines.append(row(name, name, taken, contenders[name].note))
        if all(each.batch_seconds for each in taken):
            inside = [replace(each, seconds=each.batch_seconds,
                              rate=words[name] / each.batch_seconds)
                      for each in taken]
            lines.append(row(f"{name}, batch only", name, inside, "without start and stop"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    left = (0, 10, 11)
    return "\n".join("  ".join(
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
