# SPDX-License-Identifier: Apache-2.0
"""Jobs that cannot start: one line that names the host and what is wrong, and nothing left."""

import os
import re

import host_job
from host_job import require

kOldAgent = """#!/bin/sh
read line
echo '{"event":"listening","node":1,"addr":"10.77.0.3","port":9,"host":"h3","pid":1,"cpus":1,"facts":{"version":"0.0.9"}}'
read line
"""


def refused(cluster, words, status, pattern, seconds=40, **env):
    found, out, errors = host_job.launch(cluster, words, ["/bin/echo", "ran"], **env).end(seconds)
    require(out == b"", "the program ran")
    require(found == status, f"exit status {found}, expected {status}: {' / '.join(errors[:3])}")
    require(len(errors) == 1, f"{len(errors)} lines, expected one: {' / '.join(errors[:4])}")
    require(re.search(pattern, errors[0]), f"not {pattern}: {errors[0]}")
    left = cluster.wait_for_nothing(10)
    require(not left, f"left behind: {left}")


class Changed:
    """A file of one host's installation, replaced for the time of a test. `text` None: removed."""

    def __init__(self, cluster, host, part, change):
        self.path = os.path.join(cluster.installation_of(cluster.host(host)), part)
        self.change = change

    def __enter__(self):
        os.rename(self.path, self.path + ".kept")
        with open(self.path + ".kept", "rb") as file:
            data = self.change(file.read())
        if data is not None:
            with open(self.path, "wb") as file:
                file.write(data)
            os.chmod(self.path, 0o755)

    def __exit__(self, *unused):
        os.replace(self.path + ".kept", self.path)


def broken(cluster, part, change, status, pattern):
    with Changed(cluster, "h3", part, change):
        refused(cluster, ["--host", "h1,h2,h3"], status, pattern)


def without_a_key(cluster):
    share = cluster.share_of(cluster.host("h3"))
    keys = os.path.join(share, "authorized_keys")
    os.rename(keys, keys + ".kept")
    try:
        refused(cluster, ["--host", "h1,h2,h3"], 125, r"node 2 \(h3\).*ssh to h3 failed.*[Pp]ermission denied")
    finally:
        os.rename(keys + ".kept", keys)


def link_is_down(cluster):
    cluster.set_link(cluster.host("h3"), False)
    try:
        refused(cluster, ["--host", "h1,h2,h3"], 125, r"node 2 \(h3\).*(timed out|[Nn]o route)", seconds=60)
    finally:
        cluster.set_link(cluster.host("h3"), True)


def no_way_between(cluster):
    """h2 and h3 reach the first host, and h3's packets to h2 arrive nowhere: a firewall, a wrong route."""
    h3, h2 = cluster.host("h3"), cluster.host("h2")
    cluster.misdirect(h3, h2, True)
    try:
        refused(cluster, ["--host", "h1,h2,h3"], 125, r"node \d \(h[23]\).*10\.77\.0\.[23]:\d+", seconds=60)
    finally:
        cluster.misdirect(h3, h2, False)


def tests(cluster, opts):
    yield "start-bad-name", lambda: refused(cluster, ["--host", "h1,h9"], 125, r"node 1 \(h9\).*ssh to h9 failed.*h9")
    yield "start-no-key", lambda: without_a_key(cluster)
    yield "start-no-dsmd", lambda: broken(cluster, "bin/dsmd", lambda old: None, 125, r"node 2 \(h3\).*no \S+/dsmd on h3.*--remote-prefix")
    yield "start-no-runtime", lambda: broken(cluster, "lib/dsm/dsm-runtime", lambda old: None, 125, r"node 2 \(h3\).*dsm-runtime.*install")
    yield "start-other-version", lambda: broken(cluster, "bin/dsmd", lambda old: kOldAgent.encode(), 125, r"node 2 \(h3\).*version 0\.0\.9")
    yield "start-other-build", lambda: broken(cluster, "lib/dsm/dsm-runtime", lambda old: old + b"\0", 125, r"node 2 \(h3\).*another build")
    yield "start-noisy-ssh", lambda: noisy_login(cluster)
    yield "start-first-elsewhere", lambda: refused(cluster, ["--host", "h2,h1"], 2, r"h2, is not this machine.*--host h1,h2")
    yield "start-too-few-slots", lambda: refused(cluster, ["-n", "3", "--host", "h1,h2"], 2, r"2 slots")
    yield "start-no-interface", lambda: refused(cluster, ["--host", "h1,h2", "--iface", "ib7"], 125, r"node \d \(h\d\).*no interface ib7; there is .*eth0")
    if opts.set == "soak":
        yield "start-no-way-between", lambda: no_way_between(cluster)
        yield "start-link-down", lambda: link_is_down(cluster)


def noisy_login(cluster):
    """A login script that greets is no agent that speaks nonsense."""
    greeting = lambda old: b"#!/bin/sh\necho Welcome to h3; echo 'be kind' >&2\nexec $0.kept\n"
    with Changed(cluster, "h3", "bin/dsmd", greeting):
        status, out, errors = host_job.launch(cluster, ["--host", "h1,h2,h3"], ["/bin/echo", "ran"]).end()
    require(status == 0 and out == b"ran\n" and not errors, f"status {status}, output {out}, {errors[:2]}")
