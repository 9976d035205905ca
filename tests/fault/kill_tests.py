# SPDX-License-Identifier: Apache-2.0
"""kill -9 of any process of a job at a random moment: the job ends in time, says why in one line,
and leaves nothing behind."""

import random
import re
import signal
import time

import fault_job
import machine_state
import marked_run
from fault_job import require

kVictims = ("application", "vessel", "worker agent", "origin agent", "launcher", "early launcher")
kEndSeconds = 5
# While this long after the job is ready, the moment is drawn.
kLatestMoment = 1.2
kEarlyMoment = 0.25

# What the one line on standard error must say died, by victim.
kWords = {"application": r"application|program", "vessel": r"vessel", "worker agent": r"agent",
          "origin agent": r"agent"}


def programs(places):
    return ([places.subject("page_hammer"), "--seconds", "60", "--threads", "8", "--pages", "200"],
            [places.subject("malloc_pass"), "4", "1000000", "2000"],
            [places.subject("spin_barrier"), "2", "1000000", "20000"])


def pick(victim, nodes, rng):
    """(node id, pid) of the victim."""
    workers = [node for node in nodes if node["role"] == "worker"]
    origins = [node for node in nodes if node["role"] == "origin"]
    require(len(origins) == 1 and workers, "dsm-stat shows no origin or no worker")
    worker, origin = rng.choice(workers), origins[0]
    return {"application": (origin["id"], origin["app_pid"]),
            "vessel": (worker["id"], worker["app_pid"]),
            "worker agent": (worker["id"], worker["agent_pid"]),
            "origin agent": (origin["id"], origin["agent_pid"])}[victim]


def strike(job, victim, rng):
    """Kills the victim at its moment. Returns the node it belonged to, None for the launcher."""
    if victim == "early launcher":
        time.sleep(rng.uniform(0, kEarlyMoment))
        job.run.process.kill()
        return None
    nodes = job.ready_nodes()
    time.sleep(rng.uniform(0, kLatestMoment))
    job.run.pids()  # who belongs to the job, while parents tell
    if victim == "launcher":
        job.run.process.kill()
        return None
    node, pid = pick(victim, nodes, rng)
    job.signal(pid, signal.SIGKILL)
    return node


def check_end(job, victim, node):
    begin = time.monotonic()
    status = job.run.wait(kEndSeconds)
    require(status is not None, f"the job did not end within {kEndSeconds} s")
    took = time.monotonic() - begin
    left = job.run.wait_for_no_process(max(0.1, kEndSeconds - took))
    require(not left, f"left behind: {marked_run.describe(left)}")
    expected = 137 if victim in ("application", "launcher", "early launcher") else 125
    require(status == expected, f"exit status {status}, expected {expected}")
    if node is not None:
        check_message(job.error_lines(), victim, node)


def check_message(lines, victim, node):
    require(len(lines) == 1, f"{len(lines)} lines on stderr, expected one: {' / '.join(lines[:4])}")
    require(re.search(rf"\bnode {node}\b", lines[0]), f"the line does not name node {node}: {lines[0]}")
    require(re.search(kWords[victim], lines[0], re.IGNORECASE),
            f"the line does not say that the {victim} died: {lines[0]}")


def run_one(places, name, victim, rng, launch_args):
    nodes = rng.choice((2, 3, 4))
    argv = rng.choice(programs(places))
    before = machine_state.shared_memory()
    with fault_job.Job(places, name, nodes, argv, launch_args) as job:
        node = strike(job, victim, rng)
        check_end(job, victim, node)
        files = job.run.dirs.leftovers()
        require(not files, f"files left behind: {', '.join(files[:5])}")
    new = machine_state.new_shared_memory(before, seconds=2)
    require(not new, f"shared memory left behind: {', '.join(new[:5])}")


def tests(places, count, seed, launch_args):
    """(name, function) of `count` kills, every victim in turn."""
    for number in range(count):
        victim = kVictims[number % len(kVictims)]
        name = f"kill-{victim.replace(' ', '-')}-{seed}.{number}"
        rng = random.Random(f"{seed}.{number}")
        yield name, lambda v=victim, n=name, r=rng: run_one(places, n, v, r, launch_args)
