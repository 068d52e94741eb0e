"""Runs one process: what it prints, how long it takes, what it and its children use."""

import json
import os
import signal
import subprocess
import threading
import time

LIMIT = 1800  # seconds; nothing here takes that long unless it hangs


def measure(command, log):
    """JSON lines of its stdout, seconds, CPU seconds, peak bytes, and what went wrong.

    Times the whole process, or from its "begin" mark to its "end" mark if it prints them."""
    start = time.monotonic()
    with open(log, "w") as errors:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=errors,
            text=True, errors="replace", start_new_session=True)
    events, marks, ended, peak = [], {}, threading.Event(), [0]
    sampler = threading.Thread(target=watch_memory, args=(process.pid, ended, peak))
    sampler.start()
    limit = threading.Timer(LIMIT, end_session, [process.pid])
    limit.start()
    try:
        for line in process.stdout:
            event = parse(line)
            events.append(event)
            if "mark" in event:
                cpu_seconds = sum(cpu for _, cpu, _ in members(process.pid))
                marks[event["mark"]] = time.monotonic(), cpu_seconds
            if event.get("mark") == "end":
                ended.set()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        marks.setdefault("begin", (start, 0))
        marks.setdefault("end", (time.monotonic(), usage.ru_utime + usage.ru_stime))
    finally:
        ended.set()
        limit.cancel()
        end_session(process.pid)
        sampler.join()
    seconds, cpu_seconds = (after - before for after, before in zip(marks["end"], marks["begin"]))
    fault = f"exit code {process.returncode}" if process.returncode else None
    return events, seconds, cpu_seconds, peak[0], fault


def parse(line):
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def end_session(session):
    """Ends whatever a contender left behind: each leads a session of its own."""
    for pid, _, _ in members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def watch_memory(session, ended, peak):
    """Looks often at first, for short runs; later seldom, which a busy JVM feels less."""
    looks = 0
    while not ended.wait(0.02 if looks < 50 else 0.2):
        peak[0] = max(peak[0], sum(resident for _, _, resident in members(session)))
        looks += 1


def members(session):
    """Process id, CPU seconds and resident bytes of each process of a session."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has just ended; its parent counts its CPU from now on
            continue
        if int(fields[3]) == session:
            cpu = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            yield int(pid), cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
