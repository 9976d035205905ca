# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a process that belongs to a distributed child of the job's first process: the child ends, one line names it, the
first process goes on; if the launcher dies, nothing is left of either."""

import json
import re
import signal
import subprocess
import time

import fault_job
import marked_run
from fault_job import require

kVictims = ("origin agent", "worker agent", "vessel", "child", "controller", "launcher")
kReadySeconds = 30
kEndSeconds = 10
kStatus = 4

# What standard error must say, beside the shell's own "Killed".
kWords = {"origin agent": r"child page_hammer \(pid \d+\): node 0 .*agent", "worker agent": r"child page_hammer \(pid \d+\): node 1 .*agent",
          "vessel": r"child page_hammer \(pid \d+\): node 1 .*vessel", "controller": r"child page_hammer \(pid \d+\): its controller"}


def child_job(places, job):
    """The child's job as dsm-stat shows it, with all its nodes; its launcher_pid is its controller."""
    deadline = time.monotonic() + kReadySeconds
    while time.monotonic() < deadline:
        require(job.run.process.poll() is None, f"the job ended by itself: {' / '.join(job.error_lines()[-2:])}")
        done = subprocess.run([places.stat, "--json"], env=fault_job.environment(), capture_output=True, timeout=10, check=False)
        try:
            jobs = json.loads(done.stdout)["jobs"]
        except ValueError:
            jobs = []
        for found in jobs:
            complete = all(node.get("agent_pid") and node.get("app_pid") for node in found["nodes"])
            if found.get("child_of") == str(job.run.process.pid) and complete and len(found["nodes"]) == job.nodes:
                return found
        time.sleep(0.05)
    raise fault_job.Problem(f"no distributed child in {kReadySeconds} s")


def pick(victim, found, launcher):
    nodes = {node["id"]: node for node in found["nodes"]}
    return {"origin agent": nodes[0]["agent_pid"], "worker agent": nodes[1]["agent_pid"], "vessel": nodes[1]["app_pid"],
            "child": found["app_pid"], "controller": found["launcher_pid"], "launcher": launcher}[victim]


def run_one(places, name, victim, launch_args):
    hammer = f"{places.subject('page_hammer')} --seconds 60 --threads 4 --pages 100"
    script = f"{hammer} & P=$!; wait $P; echo ended $?; exit {kStatus}"
    with fault_job.Job(places, name, 2, ["/bin/sh", "-c", script], ["--children", "auto", *launch_args]) as job:
        found = child_job(places, job)
        job.run.pids()
        job.signal(pick(victim, found, job.run.process.pid), signal.SIGKILL)
        status = job.run.wait(kEndSeconds)
        require(status is not None, f"the job did not end within {kEndSeconds} s")
        left = job.run.wait_for_no_process(kEndSeconds)
        require(not left, f"left behind: {marked_run.describe(left)}")
        if victim == "launcher":
            return
        require(status == kStatus, f"exit status {status}, expected {kStatus}")
        # A runtime may notice the death of its agent before it is killed for it, and then says so.
        by_itself = victim == "origin agent" and job.output() == b"ended 125\n"
        require(by_itself or job.output() == b"ended 137\n", f"the first process says {job.output()!r}")
        lines = [line for line in job.error_lines() if line.startswith("dsm-launch")]
        if victim == "child":
            require(not lines, f"said: {lines}")
            return
        require(len(lines) == 1 and re.search(kWords[victim], lines[0]), f"said: {lines}")


def tests(places, launch_args):
    for victim in kVictims:
        name = f"child-kill-{victim.replace(' ', '-')}"
        yield name, lambda v=victim, n=name: run_one(places, n, v, launch_args)
