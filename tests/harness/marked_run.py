# SPDX-License-Identifier: Apache-2.0
"""Runs a command so that everything it starts can be found again, and ended, by its pid.

Each run has a mark in its environment (DSM_TEST_MARK), a session of its own and private folders
for temporary files. A process belongs to the run when its environment carries the mark, when it is in
the session, or when its parent belongs to the run (a vessel has unmapped the memory that held its
environment, and is in its agent's session). A process that was seen once is known for good, so one
that outlives its parent is still found.
"""

import os
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
import time
import typing

_kMarkName = "DSM_TEST_MARK"


class RunDirs:
    """Private TMPDIR and XDG_RUNTIME_DIR, with short names because sockets live there."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="dsmt-", dir="/tmp")
        self.tmp = os.path.join(self.root, "t")
        self.runtime = os.path.join(self.root, "r")
        os.mkdir(self.tmp)
        os.mkdir(self.runtime, 0o700)

    def leftovers(self):
        """Files, sockets and folders that the run left in its private folders."""
        found = []
        for top in (self.tmp, self.runtime):
            for folder, folders, files in os.walk(top):
                found += [os.path.relpath(os.path.join(folder, name), self.root)
                          for name in files]
                found += [os.path.relpath(os.path.join(folder, name), self.root)
                          for name in folders
                          if not os.listdir(os.path.join(folder, name)) and folder != top]
        return sorted(found)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


class MarkedRun:
    """One started command. Use as a context manager: leaving it ends what is left of the run."""

    def __init__(self, argv, cwd, env, stdout, stderr, stdin=subprocess.DEVNULL, dirs=None,
                 **popen):
        self.mark = secrets.token_hex(8)
        self.dirs = dirs or RunDirs()
        environment = dict(env)
        environment[_kMarkName] = self.mark
        environment["TMPDIR"] = self.dirs.tmp
        environment["XDG_RUNTIME_DIR"] = self.dirs.runtime
        popen.setdefault("start_new_session", True)
        self.started = time.monotonic()
        self.process = subprocess.Popen(argv, cwd=cwd, env=environment, stdin=stdin,
                                        stdout=stdout, stderr=stderr, **popen)
        own = popen.get("start_new_session") or popen.get("preexec_fn")
        self.session = self.process.pid if own else None
        self.known = set()  # identities of all processes of the run that pids() has seen

    def wait(self, seconds):
        """The exit status as a shell gives it (128 + signal), or None after the deadline."""
        handle = os.pidfd_open(self.process.pid)
        try:
            select.select([handle], [], [], max(0.0, seconds))  # exact, unlike Popen.wait
        finally:
            os.close(handle)
        status = self.process.poll()
        return status if status is None or status >= 0 else 128 - status

    def pids(self):
        """Living processes of the run, the command itself included."""
        wanted = f"{_kMarkName}={self.mark}".encode()
        alive = {}
        for name in os.listdir("/proc"):
            if name.isdigit() and (process := _Process.read(int(name))):
                alive[process.pid] = process
        found = {process.pid for process in alive.values()
                 if process.session == self.session or process.identity() in self.known
                 or wanted in _environment(process.pid)}
        while children := {process.pid for process in alive.values()
                           if process.parent in found and process.pid not in found}:
            found |= children
        self.known |= {alive[pid].identity() for pid in found}
        return sorted(found)

    def wait_for_no_process(self, seconds):
        """The pids that are still there after the deadline: none when all is well."""
        deadline = time.monotonic() + seconds
        while True:
            left = self.pids()
            if not left or time.monotonic() >= deadline:
                return left
            time.sleep(0.02)

    def end(self):
        """Kills what is left of the run and removes its private folders."""
        deadline = time.monotonic() + 10
        while (left := self.pids()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.dirs.remove()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.end()


def _environment(pid):
    """The environment that a process was started with, as a list; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


class _Process(typing.NamedTuple):
    """What /proc/PID/stat says of a living process."""
    pid: int
    parent: int
    session: int
    started: int

    def identity(self):
        return self.pid, self.started

    @staticmethod
    def read(pid):
        """None when the process is gone or a zombie."""
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return None
        if fields[0] in ("Z", "X"):
            return None
        return _Process(pid, int(fields[1]), int(fields[3]), int(fields[19]))


def describe(pids):
    """`pid (name)` for each, for messages."""
    def name(pid):
        try:
            with open(f"/proc/{pid}/comm") as file:
                return file.read().strip()
        except OSError:
            return "gone"
    return ", ".join(f"{pid} ({name(pid)})" for pid in pids)
