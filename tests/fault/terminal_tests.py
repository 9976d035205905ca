# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C on a terminal reaches the program, whether it handles the signal or not."""

import fcntl
import os
import pty
import select
import signal
import termios
import time

import fault_job
import marked_run
from fault_job import require

kReadySeconds = 20
kEndSeconds = 5


def become_foreground(terminal):
    """In the child: a session of its own with the terminal as its controlling one."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def read_until(master, wanted, seconds):
    """What came from the terminal, up to and including `wanted`, or less after the deadline."""
    deadline = time.monotonic() + seconds
    data = b""
    while wanted not in data and (left := deadline - time.monotonic()) > 0:
        if not select.select([master], [], [], left)[0]:
            break
        try:
            data += os.read(master, 4096)
        except OSError:  # the last process closed the terminal
            break
    return data


def run_one(places, handled, prefix):
    argv = [*prefix, places.subject("interruptible"), "handle" if handled else "default"]
    master, terminal = pty.openpty()
    try:
        with marked_run.MarkedRun(argv, "/tmp", fault_job.environment(), terminal, terminal,
                                  stdin=terminal, start_new_session=False,
                                  preexec_fn=lambda: become_foreground(terminal)) as run:
            os.close(terminal)
            terminal = None
            seen = read_until(master, b"ready", kReadySeconds)
            require(b"ready" in seen, f"the program is not ready: {seen[-200:]!r}")
            os.write(master, b"\x03")
            status = run.wait(kEndSeconds)
            require(status is not None, f"no end within {kEndSeconds} s after Ctrl-C")
            left = run.wait_for_no_process(2)
            require(not left, f"left behind: {marked_run.describe(left)}")
            if handled:
                seen = read_until(master, b"interrupted", 1)
                require(b"interrupted" in seen, f"the handler said nothing: {seen[-200:]!r}")
            expected = 3 if handled else 128 + signal.SIGINT
            require(status == expected, f"exit status {status}, expected {expected}")
    finally:
        os.close(master)
        if terminal is not None:
            os.close(terminal)


def tests(places, prefix):
    """`prefix` is the launcher's command line, or nothing for a native run."""
    yield "ctrl-c-handled", lambda: run_one(places, True, prefix)
    yield "ctrl-c-default", lambda: run_one(places, False, prefix)
