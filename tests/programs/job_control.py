#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Job control as a shell does it: the job is stopped, stands still on every node, is seen stopped, and goes on.

usage: job_control.py BUILD
"""
import os
import signal
import subprocess
import sys
import time

DEADLINE_S = 30
STILL_S = 0.5     # how long nothing of the job may compute
SETTLE_S = 5      # until all nodes have stopped


def wait_for(what, condition):
    """The condition's first value that is true; an error that names it at the deadline."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise TimeoutError("waited for " + what)


def family(pid):
    """The process and all below it: {pid: (name, user and system ticks)}."""
    table = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii") as f:
                text = f.read()
        except OSError:
            continue
        rest = text[text.rindex(")") + 2:].split()
        table[int(entry)] = (text[text.index("(") + 1:text.rindex(")")], int(rest[1]), int(rest[11]) + int(rest[12]))
    found, grew = {pid}, True
    while grew:
        below = {p for p, (_, parent, _) in table.items() if parent in found}
        grew = not below <= found
        found |= below
    return {p: (table[p][0], table[p][2]) for p in found if p in table}


def ticks(pid):
    """CPU time of the job without its agents, which may look after things."""
    return sum(used for name, used in family(pid).values() if name not in ("dsmd", "dsm-launch"))


def status_of(pid, flags, what):
    def poll():
        got, status = os.waitpid(pid, os.WNOHANG | flags)
        return (status,) if got == pid else None
    return wait_for(what, poll)[0]


def observe(command, stop_signal):
    """What a shell sees of the job. A process group of its own, in the shell's session."""
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=lambda: os.setpgid(0, 0))
    try:
        seen = [job.stdout.readline()]
        for _ in range(2):
            os.kill(job.pid, stop_signal)
            status = status_of(job.pid, os.WUNTRACED, "the job to be seen stopped")
            seen.append(("stopped", os.WIFSTOPPED(status) and os.WSTOPSIG(status)))
            until, still = time.monotonic() + SETTLE_S, False
            while not still and time.monotonic() < until:
                before = ticks(job.pid)
                time.sleep(STILL_S)
                still = ticks(job.pid) == before
            seen.append(("still", still))
            os.killpg(job.pid, signal.SIGCONT)
            before = ticks(job.pid)
            wait_for("the job to go on", lambda: ticks(job.pid) > before + 5)
            seen.append("goes on")
        os.kill(job.pid, signal.SIGTERM)
        status = status_of(job.pid, 0, "the job to end")
        job.returncode = 0
        code = os.waitstatus_to_exitcode(status)
        seen.append(("ended", code if code >= 0 else 128 - code))
        return seen
    except TimeoutError as late:
        return [str(late)]
    finally:
        if job.returncode is None:
            os.killpg(job.pid, signal.SIGCONT)
            job.kill()
            job.wait()


def main():
    build = os.path.abspath(sys.argv[1])
    program = build + "/tests/subjects/busy_threads"
    launch = [build + "/bin/dsm-launch", "-n", "2", "--"]
    # The launcher passes SIGTSTP on and stops as the program does.
    native, distributed = observe([program], signal.SIGTSTP), observe(launch + [program], signal.SIGTSTP)
    good = native == distributed and ("still", True) in native
    print("PASS job_control" if good else f"FAIL job_control natively {native}, distributed {distributed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
