# SPDX-License-Identifier: Apache-2.0
"""Something breaks while a job runs: it ends, says which host in one line, and 10 s later nothing is
left of it on any host, also on one that nobody can reach any more."""

import os
import re
import signal
import time

import host_job
import program_cases
from host_job import require

kGoneSeconds = 10
kProgram = ("2", "1000000", "20000")


class Running:
    """A job over all hosts whose threads are at work."""

    def __init__(self, cluster):
        path = program_cases.subject(cluster, "spin_barrier")
        self.cluster = cluster
        self.job = host_job.launch(cluster, ["--host", program_cases.kAll], [path, *kProgram])
        for host in cluster.hosts[1:]:
            self.job.wait_for(host, "dsm-vessel")
        self.job.wait_for(cluster.hosts[0], "spin_barrier")

    def broken(self, status, pattern):
        """Called right after the break."""
        begin = time.monotonic()
        left = self.cluster.wait_for_nothing(kGoneSeconds)
        took = time.monotonic() - begin
        require(not left, f"after {kGoneSeconds} s there is still {left}")
        found, _, errors = self.job.end(5)
        require(found == status, f"exit status {found}, expected {status}: {' / '.join(errors[:3])}")
        if pattern:
            require(len(errors) == 1, f"{len(errors)} lines, expected one: {' / '.join(errors[:4])}")
            require(re.search(pattern, errors[0]), f"not {pattern}: {errors[0]}")
        return f"all gone after {took:.1f} s; {errors[:1]}"


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def agent_killed(cluster, host):
    run = Running(cluster)
    kill(run.job.wait_for(host, "dsmd"))
    return run.broken(125, rf"node \d \({host.name}\).*(agent|connection)")


def vessel_killed(cluster, host):
    run = Running(cluster)
    kill(run.job.wait_for(host, "dsm-vessel"))
    return run.broken(125, rf"node \d \({host.name}\).*vessel killed by signal 9")


def sshd_killed(cluster, host):
    run = Running(cluster)
    try:
        cluster.restart_sshd(host)
        return run.broken(125, rf"node \d \({host.name}\).*(ssh|connection)")
    finally:
        run.job.process.poll()


def link_cut(cluster, host):
    run = Running(cluster)
    cluster.set_link(host, False)
    try:
        return run.broken(125, rf"node \d \({host.name}\)")
    finally:
        cluster.set_link(host, True)


def origin_link_cut(cluster, host):
    """All others lose node 0 and the launcher at once, and nobody tells them."""
    run = Running(cluster)
    cluster.set_link(cluster.hosts[0], False)
    try:
        return run.broken(125, r"node \d \(h\d\)")
    finally:
        cluster.set_link(cluster.hosts[0], True)


def launcher_killed(cluster, host):
    run = Running(cluster)
    kill(run.job.wait_for(host, "dsm-launch"))
    return run.broken(137, None)


def launcher_killed_and_link_cut(cluster, host):
    run = Running(cluster)
    cluster.set_link(host, False)
    kill(run.job.wait_for(cluster.hosts[0], "dsm-launch"))
    try:
        return run.broken(137, None)
    finally:
        cluster.set_link(host, True)


def terminated(cluster, host):
    """A signal to the launcher is the program's; its end is an ordinary one on all hosts."""
    run = Running(cluster)
    os.kill(run.job.wait_for(host, "dsm-launch"), signal.SIGTERM)
    return run.broken(143, r"signal 15")


def tests(cluster, opts):
    first, second, third, last = cluster.hosts
    yield "break-agent", lambda: agent_killed(cluster, third)
    yield "break-vessel", lambda: vessel_killed(cluster, second)
    yield "break-sshd", lambda: sshd_killed(cluster, last)
    yield "break-link", lambda: link_cut(cluster, third)
    yield "break-launcher", lambda: launcher_killed(cluster, first)
    yield "break-sigterm", lambda: terminated(cluster, first)
    yield "break-launcher-and-link", lambda: launcher_killed_and_link_cut(cluster, second)
    if opts.set != "soak":
        return
    yield "break-origin-link", lambda: origin_link_cut(cluster, first)
    yield "break-origin-agent", lambda: agent_killed(cluster, first)
    for host in (second, third, last):
        for name, test in (("agent", agent_killed), ("vessel", vessel_killed), ("sshd", sshd_killed), ("link", link_cut)):
            yield f"break-{name}-{host.name}", lambda t=test, h=host: t(cluster, h)
