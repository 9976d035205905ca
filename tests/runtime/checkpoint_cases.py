#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that take a checkpoint of themselves, on one node. Each runs three times: natively, which is the oracle; under the runtime
where it goes on behind the checkpoint; and killed at the checkpoint and restored from it. What it prints must be the same each time,
and its exit status.

usage: checkpoint_cases.py BUILD [NAME...]
"""
import os
import shutil
import subprocess
import sys
import tempfile

DEADLINE_S = 60
ORDINARY_USER = 65534
# As an installation's udev rule does it, but for this command only: everybody may open /dev/userfaultfd.
AS_ORDINARY_USER = ["unshare", "-m", "sh", "-c", """
    mknod "$0/userfaultfd" c $(stat -c '0x%t 0x%T' /dev/userfaultfd) && chmod 666 "$0/userfaultfd" &&
    mount --bind "$0/userfaultfd" /dev/userfaultfd && rm "$0/userfaultfd" &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
"""]

PYTHON_THREADS = """
import ctypes, os, queue, sys, threading
checkpoint = lambda: ctypes.CDLL(None).syscall(ctypes.c_long(0x64736d05))
work, results, gate = queue.Queue(), [], threading.Event()
def loop():
    while True:
        item = work.get()
        if item is None:
            return
        gate.wait(30)
        results.append(sum(k * item for k in range(2000)))
threads = [threading.Thread(target=loop) for _ in range(6)]
[t.start() for t in threads]
[work.put(i) for i in range(40)]
print('before', flush=True)
checkpoint()
gate.set()
[work.put(None) for _ in threads]
[t.join() for t in threads]
print(sum(results), len(results), threading.active_count(), os.path.basename(os.readlink('/proc/self/exe')))
sys.exit(7)
"""

EXECUTES = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
ctypes.CDLL(None).syscall(ctypes.c_long(0x64736d05))
os.fork() or os._exit(3)
print(os.wait()[1], flush=True)
os.execv('/bin/sh', ['sh', '-c', 'echo replaced; sort --parallel=2 /dev/null; exit 7'])
"""
# Threads and children come and go while checkpoints are taken. Only that it goes on: children do not come back.
CHURN = """
import ctypes, os, subprocess, threading, time
call, stop, bad = ctypes.CDLL(None, use_errno=True).syscall, threading.Event(), []
def threads():
    while not stop.is_set():
        t = threading.Thread(target=lambda: None)
        t.start()
        t.join()
def spawn():
    while not stop.is_set():
        if subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout != b'x\\n':
            bad.append('echo')
def fork():
    while not stop.is_set():
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        if os.waitpid(pid, 0)[1] >> 8 != 3:
            bad.append('fork')
workers = [threading.Thread(target=f) for f in (threads, threads, spawn, fork)]
[t.start() for t in workers]
failures = set()
for i in range(20):
    time.sleep(0.02)
    if call(ctypes.c_long(0x64736d05)) < 0 and ctypes.get_errno() != 38:
        failures.add(ctypes.get_errno())
stop.set()
[t.join() for t in workers]
print(bad, failures)
"""


def programs(build, folder):
    tests = os.path.join(build, "tests")
    for family in ("process", "memory", "files", "signals", "timers", "sockets"):
        yield family, [os.path.join(tests, "checkpoint_kinds"), family, folder]
    yield "threads", [os.path.join(tests, "checkpoint_threads")]
    yield "main_ended", [os.path.join(tests, "checkpoint_threads"), "main-ends"]
    yield "python", ["/usr/bin/python3", "-c", PYTHON_THREADS]
    yield "executes", ["/usr/bin/python3", "-c", EXECUTES]


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)


def run(command, out):
    """The exit status, and what it said on stderr; stdout is appended to the file `out`."""
    with open(out, "ab") as stdout:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            return "deadline", b""
    return (128 - done.returncode if done.returncode < 0 else done.returncode), done.stderr


def content(path):
    with open(path, "rb") as file:
        return file.read()


class Case:
    def __init__(self, build, scratch, name, command, user=False):
        self.before = AS_ORDINARY_USER + [scratch] if user else []
        self.solo = [os.path.join(build, "tests/runtime_solo")]
        self.runtime = [os.path.join(build, "lib/dsm/dsm-runtime")]
        self.own, self.kept = os.path.join(scratch, "own"), os.path.join(scratch, "kept")
        self.scratch, self.name, self.command = scratch, name, command

    def once(self, *commands):
        for folder in (self.own, self.kept):
            emptied(folder)
            if self.before:
                os.chown(folder, ORDINARY_USER, ORDINARY_USER)
        out = os.path.join(self.scratch, "out")
        if os.path.exists(out):
            os.unlink(out)
        status, errors = None, b""
        for command in commands:
            status, said = run(self.before + command, out)
            errors += said
        return status, content(out), errors

    def verdict(self, restores=True):
        keep = self.solo + ["--keep", self.kept]
        native = self.once(self.command)
        if native[0] not in (0, 7) or not native[1]:
            return "natively: status %s %s" % (native[0], native[2].decode(errors="replace"))
        ways = {"goes on": [keep + self.runtime + self.command],
                "restored": [keep + ["--end"] + self.runtime + self.command, self.solo + ["--restore", self.kept] + self.runtime]}
        if not restores:
            del ways["restored"]
        for way, commands in ways.items():
            got = self.once(*commands)
            if got[:2] != native[:2]:
                return "%s: status %s, expected %s; %s" % (way, got[0], native[0], difference(native[1], got[1]) + got[2].decode(errors="replace"))
            if b"not restored" in got[2]:
                return "%s: %s" % (way, got[2].decode(errors="replace"))
        return None


def difference(expected, got):
    left, right = expected.decode(errors="replace").splitlines(), got.decode(errors="replace").splitlines()
    for i, line in enumerate(left):
        if i >= len(right) or right[i] != line:
            return "line %d is %r, expected %r; " % (i + 1, right[i] if i < len(right) else None, line)
    return "" if len(left) == len(right) else "more lines: %r; " % right[len(left):]


def as_ordinary_user(build, scratch, name):
    if os.geteuid() != 0:
        return "SKIP all of this is run by an ordinary user"
    os.chmod(scratch, 0o755)
    if subprocess.run(AS_ORDINARY_USER + [scratch, os.path.join(build, "tests/checkpoint_kinds")], capture_output=True).returncode != 2:
        return "SKIP an ordinary user cannot run what is in %s, or nobody may make a mount namespace" % build
    command = dict(programs(build, os.path.join(scratch, "own")))[name]
    return Case(build, scratch, name, command, user=True).verdict()


def report(name, reason):
    if reason is not None and reason.startswith("SKIP"):
        print("SKIP %s %s" % (name, reason[5:]), flush=True)
        return False
    print("PASS %s" % name if reason is None else "FAIL %s %s" % (name, reason.replace("\n", " | ")), flush=True)
    return reason is not None


def main():
    build, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    scratch, failed = tempfile.mkdtemp(prefix="checkpoint_cases_"), 0
    try:
        churn = ("churn", ["/usr/bin/python3", "-c", CHURN])
        for name, command in [*programs(build, os.path.join(scratch, "own")), churn]:
            if wanted and name not in wanted:
                continue
            reason = Case(build, scratch, name, command).verdict(restores=name != "churn")
            failed += report(name, reason)
        for name in ("process", "files", "threads"):
            label = "%s_ordinary_user" % name
            if not wanted or label in wanted:
                failed += report(label, as_ordinary_user(build, scratch, name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
