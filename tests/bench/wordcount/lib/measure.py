"""Runs one process and says what it printed, how long it took, and what it and its children used."""

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
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors,
                                   text=True, errors="replace", start_new_session=True)
    events, marks, ended, peak = [], {}, threading.Event(), [0]
    sampler = threading.Thread(target=watch_memory, args=(process.pid, ended, peak))
    sampler.start()
    limit = threading.Timer(LIMIT, end_group, [process.pid])
    limit.start()
    try:
        for line in process.stdout:
            event = parse(line)
            events.append(event)
            if "mark" in event:
                marks[event["mark"]] = time.monotonic(), sum(cpu for cpu, _ in tree(process.pid))
            if event.get("mark") == "end":
                ended.set()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        marks.setdefault("begin", (start, 0))
        marks.setdefault("end", (time.monotonic(), usage.ru_utime + usage.ru_stime))
    finally:
        ended.set()
        limit.cancel()
        end_group(process.pid)
        sampler.join()
    seconds, cpu_seconds = (after - before for after, before in zip(marks["end"], marks["begin"]))
    return events, seconds, cpu_seconds, peak[0], process.returncode and f"exit code {process.returncode}"


def parse(line):
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def end_group(group):
    """Ends the process and whatever it left behind: it leads a group of its own."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def watch_memory(root, ended, peak):
    """Looks often at first, for short runs; later seldom, which a busy JVM feels less."""
    looks = 0
    while not ended.wait(0.02 if looks < 50 else 0.2):
        peak[0] = max(peak[0], sum(resident for _, resident in tree(root)))
        looks += 1


def tree(root):
    """CPU seconds and resident bytes of a process and each of its descendants."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    todo += file.read().split()
        except OSError:  # it has just ended; its parent counts its CPU from now on
            continue
        cpu = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        found.append((cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")))
    return found
