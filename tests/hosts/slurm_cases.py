# SPDX-License-Identifier: Apache-2.0
"""Jobs inside a Slurm allocation: srun starts the agents, and nothing of them outlives the job."""

import os
import re
import signal
import time

import host_job
import program_cases
import slurm_cluster
from host_job import require

kTools = ("salloc", "sbatch", "sh", "sleep", "slurm_script")
kGoneSeconds = 10


def slurm(cluster, *argv):
    return host_job.HostJob(cluster, list(argv), SLURM_CONF=slurm_cluster.kConfigPath)


def without_slurm_words(lines):
    return [line for line in lines if not re.match(r"salloc: ", line)]


def wait_for_no_agent(cluster):
    """What is left on the hosts, beside the commands of Slurm that this test itself still runs."""
    deadline = time.monotonic() + kGoneSeconds
    while left := [f"{name} on {host}" for host, found in cluster.leftovers().items() for name in found.values()
                   if name not in kTools]:
        require(time.monotonic() < deadline, f"after {kGoneSeconds} s there is still {left}")
        time.sleep(0.05)


def interactive(cluster, chain):
    _, expected, _ = host_job.HostJob(cluster, [chain]).end()
    status, out, errors = slurm(cluster, "salloc", "-N4", host_job.kLauncher, "--report", "report.json", "--", chain).end()
    errors = without_slurm_words(errors)
    require(status == 0 and out == expected and not errors, f"status {status}, {out!r}, {errors[:2]}")
    hosts = program_cases.busy_hosts(cluster)
    require(hosts == {"h1", "h2", "h3", "h4"}, f"threads ran on {sorted(hosts)}")
    wait_for_no_agent(cluster)


def batch(cluster, chain):
    _, expected, _ = host_job.HostJob(cluster, [chain]).end()
    status, _, errors = slurm(cluster, "sbatch", "-N3", "--wait", "-o", "batch.out", "--wrap", f"{host_job.kLauncher} -n 2 -- {chain}").end()
    with open(os.path.join(cluster.share_of(cluster.hosts[0]), "home", "batch.out"), "rb") as file:
        out = file.read()
    require(status == 0 and out == expected, f"status {status}, {out!r}, {errors[:2]}")
    wait_for_no_agent(cluster)


def too_many(cluster, chain):
    status, _, errors = slurm(cluster, "salloc", "-N2", host_job.kLauncher, "-n", "3", "--", chain).end()
    errors = without_slurm_words(errors)
    require(status == 2 and len(errors) == 1 and "has 2" in errors[0] and "--engine local" in errors[0], f"status {status}, {errors}")


class Running:
    """A long job whose allocation outlives it, so that it is not Slurm which cleans up."""

    def __init__(self, cluster):
        self.cluster = cluster
        path = program_cases.subject(cluster, "spin_barrier")
        self.job = slurm(cluster, "salloc", "-N4", "sh", "-c", f"{host_job.kLauncher} -- {path} 2 1000000 20000; echo status $?; sleep 60")
        for host in cluster.hosts[1:]:
            self.job.wait_for(host, "dsm-vessel")
        self.job.wait_for(cluster.hosts[0], "spin_barrier")

    def broken(self, host, name, status):
        os.kill(self.job.wait_for(host, name), signal.SIGKILL)
        wait_for_no_agent(self.cluster)
        # Ends the allocation in order; killed, it would keep the nodes from the next test.
        os.kill(self.job.wait_for(self.cluster.hosts[0], "sleep"), signal.SIGKILL)
        _, out, errors = self.job.end(20)
        require(f"status {status}\n".encode() in out, f"expected status {status}: {out!r}, {errors[:3]}")
        return errors


def agent_killed(cluster):
    host = cluster.hosts[2]
    errors = Running(cluster).broken(host, "dsmd", 125)
    lines = [line for line in errors if line.startswith("dsm-launch: ")]
    require(len(lines) == 1 and f"node 2 ({host.name})" in lines[0], f"{lines}")
    return lines[0]


def launcher_killed(cluster):
    Running(cluster).broken(cluster.hosts[0], "dsm-launch", 137)


def tests(cluster, opts):
    """Slurm must run (slurm_cluster.start) before the first of them."""
    chain = program_cases.subject(cluster, "clock_chain")
    yield "slurm-salloc", lambda: interactive(cluster, chain)
    yield "slurm-agent-killed", lambda: agent_killed(cluster)
    if opts.set == "soak":
        yield "slurm-sbatch", lambda: batch(cluster, chain)
        yield "slurm-too-many", lambda: too_many(cluster, chain)
        yield "slurm-launcher-killed", lambda: launcher_killed(cluster)
