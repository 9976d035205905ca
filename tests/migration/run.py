#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Threads that are moved, and nodes that are drained, by dsm-stat while the program runs.

  run.py --build build [--only REGEX] [--repeat N]

The native run is the oracle of each program's output. Prints PASS or FAIL lines.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import migration_job  # noqa: E402
from migration_job import Job, Problem, node, threads_on  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs"))

import inputs  # noqa: E402
import verdicts  # noqa: E402

kNodes = 3
kDrained = 2
kSleepers = 9   # threads of sleepers.c
# Long enough to be looked at on a fast machine.
kStencil = ("4", "6000", "256")


def need(condition, what):
    if not condition:
        raise Problem(what)


def subject(opts, name):
    return os.path.join(opts.build, "tests", "subjects", name)


def has_thread_on(number):
    return lambda job: threads_on(job, number)


def compare(native, other):
    need(other[0] == native[0], f"exit status {other[0]}, natively {native[0]}")
    need(other[1] == native[1], f"said {other[1][-200:]!r}, natively {native[1][-200:]!r}")


def moved_by_command(opts, folder):
    """A thread visits every node, and is the program's in the end."""
    argv = [subject(opts, "stencil_barrier"), *kStencil]
    native = migration_job.native(argv, folder)
    with Job(opts.build, kNodes, argv, folder) as job:
        tid = threads_on(job.wait_until("a thread runs on node 1", has_thread_on(1)), 1)[0]
        for target in (2, 0, 1, 1, 0):
            status, out, err = job.command("migrate", job.id, str(tid), str(target))
            need(status == 0, f"migrate to node {target}: status {status}, {err}")
            need(f"thread {tid} is on node {target}" in out, f"migrate said {out!r}")
            job.wait_until(f"the thread runs on node {target}", lambda view, n=target: tid in threads_on(view, n), 10)
        end = job.end()
    compare(native, end)
    need(end[2]["migrations"] == 4, f"the report counts {end[2]['migrations']} migrations, expected 4")
    of_thread = sum(t["migrations"] for t in end[2]["threads"] if t["tid"] == tid)
    need(of_thread == 4, f"the report counts {of_thread} migrations of the thread, expected 4")


def refused_commands(opts, folder):
    """What cannot be done is said, with the reason, and harms nothing."""
    argv = [subject(opts, "stencil_barrier"), *kStencil]
    native = migration_job.native(argv, folder)
    with Job(opts.build, 2, argv, folder) as job:
        tid = str(threads_on(job.wait_until("a thread runs on node 1", has_thread_on(1)), 1)[0])
        cases = (
            (("migrate", "0", tid, "1"), 1, "no running job 0"),
            (("migrate", job.id, "1", "1"), 1, "thread 1 is not a living thread"),
            (("migrate", job.id, tid, "2"), 1, "no node 2: the job has nodes 0 to 1"),
            (("migrate", job.id, tid), 2, "NODE is required"),
            (("drain", job.id, "0"), 1, "node 0 is the origin"),
            (("drain", job.id, "2"), 1, "no node 2"),
            (("undrain", job.id, "1"), 1, "node 1 is not drained"),
        )
        for words, wanted, text in cases:
            status, _, err = job.command(*words)
            need(status == wanted and text in err, f"{' '.join(words)}: status {status}, said {err!r}; expected {text!r}")
        compare(native, job.end())


def drain(job):
    """Drains a node and looks at what it says of itself then."""
    begin = time.monotonic()
    status, out, err = job.command("drain", job.id, str(kDrained))
    seconds = time.monotonic() - begin
    need(status == 0, f"drain: status {status}, {err}")
    need("holds no thread and no page" in out, f"drain said {out!r}")
    for _ in range(3):
        view = job.look()
        if view is None:
            break   # the program has ended
        empty = node(view, kDrained)
        need(empty.get("unresponsive") or (empty["threads"] == 0 and empty["pages_held"] == 0 and empty["drained"]),
             f"the drained node has {empty.get('threads')} threads and {empty.get('pages_held')} pages")
        time.sleep(0.1)
    return seconds


def drained_stencil(opts, folder):
    argv = [subject(opts, "stencil_barrier"), *kStencil]
    native = migration_job.native(argv, folder)
    with Job(opts.build, kNodes, argv, folder) as job:
        job.wait_until("a thread runs on the node", has_thread_on(kDrained))
        seconds = drain(job)
        status, out, err = job.command("undrain", job.id, str(kDrained))
        need(status == 0, f"undrain: status {status}, {out} {err}")
        compare(native, job.end())
    return f"drained in {seconds:.2f} s"


def drained_creation(opts, folder):
    """No thread is placed on a drained node."""
    argv = [subject(opts, "create_join")]
    native = migration_job.native(argv, folder)
    with Job(opts.build, kNodes, argv, folder) as job:
        job.wait_until("a thread ran on the node", lambda view: node(view, kDrained)["threads_run"] > 0)
        seconds = drain(job)
        view = job.look()
        ran = node(view, kDrained)["threads_run"] if view else None
        end = job.end()
        compare(native, end)
        last = node(end[2], kDrained)["threads_run"]
        need(ran is None or last == ran, f"{last - (ran or 0)} threads were placed on the drained node")
    return f"drained in {seconds:.2f} s"


def drained_sleepers(opts, folder):
    """Threads that sleep in system calls leave, and their calls end as if they had not."""
    argv = [subject(opts, "migration/sleepers")]
    native = migration_job.native(argv, folder)
    with Job(opts.build, kNodes, argv, folder, "--place", f"node:{kDrained}") as job:
        job.wait_until("all threads sleep on the node", lambda view: asleep_on(view, kDrained) >= kSleepers)
        seconds = drain(job)
        compare(native, job.end())
    return f"drained in {seconds:.2f} s"


def asleep_on(view, number):
    return sum(1 for t in view["threads"] if t["node"] == number and t["state"] == "blocked")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def drained_pigz(opts, folder):
    text, packed = os.path.join(folder, "text"), os.path.join(folder, "text.gz")
    shutil.copyfile(inputs.input_path(os.path.join(opts.build, "tests", "inputs"), "text_96m"), text)
    argv = ["/usr/bin/pigz", "-p4", "-9", "-n", "-k", "-f", "text"]
    native = migration_job.native(argv, folder)
    wanted = digest(packed)
    os.remove(packed)
    with Job(opts.build, kNodes, argv, folder) as job:
        job.wait_until("a thread runs on the node", has_thread_on(kDrained))
        seconds = drain(job)
        compare(native, job.end())
    need(digest(packed) == wanted, "the file differs from the native one")
    return f"drained in {seconds:.2f} s"


kTests = (moved_by_command, refused_commands, drained_stencil, drained_creation, drained_sleepers, drained_pigz)


def run(test, opts):
    """(problem or None, note)."""
    folder = tempfile.mkdtemp(prefix="dsm-migration-")
    try:
        return None, test(opts, folder)
    except Problem as problem:
        return str(problem), None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(argv):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="the build folder")
    parser.add_argument("--only", type=re.compile, help="names that match this expression")
    parser.add_argument("--repeat", type=int, default=1)
    opts = parser.parse_args(argv)
    opts.build = os.path.abspath(opts.build)
    results = verdicts.Verdicts()
    for test in kTests:
        if opts.only and not opts.only.search(test.__name__):
            continue
        for turn in range(1, opts.repeat + 1):
            problem, note = run(test, opts)
            results.record(test.__name__ + (f"-run{turn}" if opts.repeat > 1 else ""), problem, note)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
