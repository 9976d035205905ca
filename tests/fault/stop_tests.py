# SPDX-License-Identifier: Apache-2.0
"""An agent that stops for two seconds and goes on is slow, not dead: the output is the native one."""

import signal
import time

import fault_job
from fault_job import require

kStoppedSeconds = 2
kEndSeconds = 90


def program(places):
    return [places.subject("malloc_pass"), "4", "1200", "350000"]


def native_output(places):
    with fault_job.Job(places, "stop-native", 1, program(places), prefix=[]) as job:
        require(job.run.wait(kEndSeconds) == 0, "the native run failed")
        return job.output()


def run_one(places, role, launch_args):
    expected = native_output(places)
    with fault_job.Job(places, f"stop-{role}", 2, program(places), launch_args) as job:
        nodes = job.ready_nodes()
        agent = next(node["agent_pid"] for node in nodes if node["role"] == role)
        job.signal(agent, signal.SIGSTOP)
        time.sleep(kStoppedSeconds)
        require(job.run.process.poll() is None, "the job ended while an agent was stopped")
        job.signal(agent, signal.SIGCONT)
        status = job.run.wait(kEndSeconds)
        require(status is not None, f"no end within {kEndSeconds} s after the agent went on")
        lines = job.error_lines()
        require(status == 0, f"exit status {status}: {' / '.join(lines[-2:])}")
        require(job.output() == expected, "output differs from the native run")


def tests(places, launch_args):
    for role in ("origin", "worker"):
        yield f"stop-{role}-agent", lambda r=role: run_one(places, r, launch_args)
