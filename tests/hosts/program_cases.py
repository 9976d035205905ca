# SPDX-License-Identifier: Apache-2.0
"""Programs over all hosts against their native run on the first one. They are on no other host."""

import hashlib
import json
import os

import host_cluster
import host_job
from host_job import require

kAll = "h1,h2,h3,h4"


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def subject(cluster, name):
    return host_job.put(cluster, cluster.hosts[0], os.path.join(cluster.build, "tests", "subjects", name), name)


def text(cluster):
    """Some megabytes that compress like text: this program's own libraries as numbers."""
    path = os.path.join(cluster.share_of(cluster.hosts[0]), "work", "text")
    if not os.path.exists(path):
        with open(os.path.join(cluster.build, "bin", "dsmd"), "rb") as file:
            numbers = " ".join(str(byte) for byte in file.read(1 << 20))
        with open(path, "w") as file:
            file.write(numbers * 4)
    return os.path.join(host_cluster.kShare, "work", "text")


def compare(cluster, words, program):
    native_status, expected, _ = host_job.HostJob(cluster, program).end()
    require(native_status == 0, f"the native run ended with status {native_status}")
    status, found, errors = host_job.launch(cluster, [*words, "--report", "report.json"], program).end()
    require(status == 0, f"exit status {status}: {' / '.join(errors[:3])}")
    require(not errors, f"standard error says: {errors[:1]}")
    require(found == expected, f"output differs: {len(found)} bytes {digest(found)}, natively {len(expected)} bytes {digest(expected)}")
    nodes = reported_nodes(cluster)
    left = cluster.wait_for_nothing(2)
    require(not left, f"left behind: {left}")
    return nodes, busy_hosts(cluster)


def reported_nodes(cluster):
    with open(os.path.join(cluster.share_of(cluster.hosts[0]), "home", "report.json")) as file:
        return json.load(file)["jobs"][0]["nodes"]


def busy_hosts(cluster):
    """The hosts on which a thread of the last job has run."""
    return {node["host"] for node in reported_nodes(cluster) if node.get("threads_run", 0) > 0}


def on_all(cluster, words, program, where):
    nodes, hosts = compare(cluster, words, program)
    require(hosts == set(where), f"threads ran on {sorted(hosts)}, expected {where}")
    return f"{len(nodes)} nodes"


def by_host_file(cluster, program):
    with open(os.path.join(cluster.share_of(cluster.hosts[0]), "home", "hosts"), "w") as file:
        file.write("# all of them\nlocalhost slots=2\nh[2-3]   # each once\n")
    nodes, hosts = compare(cluster, ["--hostfile", "hosts"], program)
    require(len(nodes) == 4 and hosts == {"h1", "h2", "h3"}, f"{len(nodes)} nodes on {sorted(hosts)}")


def clocks_differ(cluster, chain):
    """The clocks of these hosts are apart indeed: with each node's own the program finds it."""
    status, _, errors = host_job.launch(cluster, ["--host", kAll, "--clock", "local"], [chain]).end()
    require(status == 1 and any("check failed" in line for line in errors), f"exit status {status}, {errors[:1]}")


def tests(cluster, opts):
    first = ["h1", "h2", "h3", "h4"]
    chain, stencil = subject(cluster, "clock_chain"), subject(cluster, "stencil_barrier")
    hosts = ["--host", kAll]
    yield "hosts-pigz", lambda: on_all(cluster, hosts, ["/usr/bin/pigz", "-p", "8", "-c", "-n", text(cluster)], first)
    yield "hosts-stencil", lambda: on_all(cluster, hosts, [stencil], first)
    yield "hosts-clocks", lambda: on_all(cluster, hosts, [chain], first)
    yield "hosts-clocks-differ", lambda: clocks_differ(cluster, chain)
    yield "hosts-hostfile", lambda: by_host_file(cluster, [stencil])
    if opts.set == "soak":
        for name in ("create_join", "special_mutexes", "malloc_pass", "cas_list", "remote_mmap"):
            path = subject(cluster, name)
            yield f"hosts-{name}", lambda p=path: on_all(cluster, hosts, [p], first)
        yield "hosts-iface", lambda: on_all(cluster, [*hosts, "--iface", "10.77.0.0/24"], [stencil], first)
        yield "hosts-slots", lambda: on_all(cluster, ["--host", "h1:2,h3:2"], [stencil], ["h1", "h3"])
