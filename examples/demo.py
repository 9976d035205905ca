#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run each example alone and over several nodes, and compare what they print.

Without --check: `make demo`, a table for a reader. With --check: PASS and FAIL lines for build-aux/run-checks.
A run counts only if the output is the same bytes, a thread ran on another node, and pages moved.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

RUN_SECONDS = 120
STOP_SECONDS = 5
MAX_LISTED_THREADS = 12

# (label, command line, node counts)
EXAMPLES = [
    ("stencil", ["stencil"], [2, 4]),
    ("histogram", ["histogram"], [2]),
    ("word_count", ["word_count"], [2]),
    ("page_rank", ["page_rank"], [2]),
    ("xy_counter", ["xy_counter"], [2]),
    ("false_sharing-packed", ["false_sharing", "packed"], [2]),
    ("false_sharing-padded", ["false_sharing", "padded"], [2]),
]

# The variable whose page must be the hottest of the report.
HOTTEST_SYMBOL = {"false_sharing-packed": "counters"}


class Run:
    """What one execution did. `status` is None if it did not end in time."""

    def __init__(self, status, stdout, stderr, seconds):
        self.status, self.stdout, self.stderr, self.seconds = status, stdout, stderr, seconds


class Report:
    """The parts of a --report file (schema dsm-stat/1) that the demo speaks about."""

    def __init__(self, path):
        document = json.loads(path.read_text())
        if document.get("schema") != "dsm-stat/1":
            raise ValueError(f"unknown schema {document.get('schema')!r}")
        job = document["jobs"][0]
        self.threads_run = {node["id"]: node["threads_run"] for node in job["nodes"]}
        self.pages_moved = sum(node["pages_in"] for node in job["nodes"])
        self.threads = defaultdict(list)
        for number, thread in enumerate(sorted(job["threads"], key=lambda t: t["tid"])):
            self.threads[thread["node"]].append(number)
        self.hottest = max(job.get("pages", []), key=lambda p: p["moves"], default=None)

    def remote_threads(self):
        return sum(count for node, count in self.threads_run.items() if node != 0)

    def placement(self):
        """For instance `0: t0 t2 t4 | 1: t1 t3`; t0 is the main thread. Many threads are only counted."""
        listed = sum(len(numbers) for numbers in self.threads.values())
        if listed < sum(self.threads_run.values()) or listed > MAX_LISTED_THREADS:
            return " | ".join(f"{node}: {count} threads" for node, count in self.threads_run.items())
        return " | ".join(f"{node}: " + (" ".join(f"t{n}" for n in self.threads[node]) or "-") for node in self.threads_run)


def execute(command):
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        stdout, stderr = process.communicate(timeout=RUN_SECONDS)
        return Run(process.returncode, stdout, stderr, time.monotonic() - begin)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            stdout, stderr = process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
        return Run(None, stdout, stderr, time.monotonic() - begin)


def distribute(launcher, nodes, command, folder):
    """Returns the run and its report (None if there is none to be read, with the reason)."""
    path = Path(folder) / "report.json"
    path.unlink(missing_ok=True)
    run = execute([launcher, "-n", str(nodes), "--place", "rr", "--report", str(path), "--"] + command)
    try:
        return run, Report(path), ""
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        return run, None, f"no usable report: {type(error).__name__} {error}"


def judge(label, native, run, report, report_error):
    """What is wrong with the distributed run, or an empty string."""
    if run.status is None:
        return f"not finished after {RUN_SECONDS} s"
    if run.status != native.status:
        last = run.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"exit status {run.status} instead of {native.status}: {' '.join(last)}"
    if run.stdout != native.stdout:
        return "output differs from the native run"
    if report is None:
        return report_error
    if report.remote_threads() == 0:
        return "no thread ran on another node"
    if report.pages_moved == 0:
        return "no page moved"
    symbol, hottest = HOTTEST_SYMBOL.get(label), report.hottest or {}
    if symbol and not hottest.get("symbol", "").startswith(symbol):
        return f"the hottest page is not that of {symbol} but {hottest.get('symbol') or hottest.get('file') or 'without a name'}"
    return ""


class TableWriter:
    """The readable form."""

    FORMAT = "{:22} {:>5} {:>9} {:>9}  {:38} {:>11}  {}"

    def begin(self):
        print("Each example runs alone, then over nodes; t0 is its main thread.\n")
        print(self.FORMAT.format("example", "nodes", "alone s", "over s", "node: threads", "pages moved", "output"))

    def row(self, label, nodes, native, run, report, problem):
        print(self.FORMAT.format(label, nodes, f"{native.seconds:.2f}", f"{run.seconds:.2f}",
                                 report.placement() if report else "?", report.pages_moved if report else "?",
                                 problem or "equals native"), flush=True)

    def hottest(self, label, report):
        page = report.hottest
        if page is None or page["moves"] == 0:
            return
        name = f" in {page['symbol']}" if page.get("symbol") else ""
        print(f"{'':22}   hottest page of {label}: {page['addr']:#x}{name}, moved {page['moves']} times")

    def end(self, failures):
        print()
        if failures:
            print(f"{failures} run(s) did not do what the native run did.")
        else:
            print("Every output equals the native one, byte for byte.")


class CheckWriter:
    """The form that build-aux/run-checks reads."""

    def begin(self):
        pass

    def row(self, label, nodes, native, run, report, problem):
        print(f"FAIL {label}/n{nodes} {problem}" if problem else f"PASS {label}/n{nodes}", flush=True)
        if problem:
            sys.stderr.buffer.write(run.stderr)

    def hottest(self, label, report):
        pass

    def end(self, failures):
        pass


def explain_failure(launcher):
    """Perhaps it is the machine: let the launcher look."""
    print("\nWhat dsm-launch --check says about this machine:", file=sys.stderr)
    look = execute([launcher, "--check"])
    sys.stderr.buffer.write(look.stdout + look.stderr)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", default="build", help="the build's output folder (default: build)")
    options.add_argument("--check", action="store_true", help="print PASS and FAIL lines, two nodes only")
    chosen = options.parse_args()

    launcher = str(Path(chosen.build) / "bin" / "dsm-launch")
    if not Path(launcher).exists():
        print(f"FAIL demo {launcher} is not built", file=sys.stderr)
        return 1
    writer = CheckWriter() if chosen.check else TableWriter()
    failures = 0
    writer.begin()
    with tempfile.TemporaryDirectory(prefix="dsm-demo-") as folder:
        for label, words, node_counts in EXAMPLES:
            command = [str(Path(chosen.build) / "examples" / words[0])] + words[1:]
            native = execute(command)
            if native.status != 0:
                print(f"FAIL {label} native run: exit status {native.status}")
                failures += 1
                continue
            for nodes in [2] if chosen.check else node_counts:
                run, report, report_error = distribute(launcher, nodes, command, folder)
                problem = judge(label, native, run, report, report_error)
                writer.row(label, nodes, native, run, report, problem)
                if problem:
                    failures += 1
                elif label.startswith("false_sharing"):
                    writer.hottest(label, report)
    writer.end(failures)
    if failures and not chosen.check:
        explain_failure(launcher)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
