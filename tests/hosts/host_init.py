#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The first process of a simulated host (host_cluster.py): makes the host its own, starts sshd, reaps.

Its argument is a JSON file; what it needs is opened before the host's private /tmp hides it. Says
"ready" on standard output when sshd has been started.
"""

import ctypes
import json
import os
import socket
import stat
import subprocess
import sys


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def private_file(path, text, mode=0o644):
    """`text` at `path` for this host alone. Files of /etc are replaced, not changed."""
    copy = os.path.join("/run", path.replace("/", "_"))
    with open(copy, "w") as file:
        file.write(text)
    os.chmod(copy, mode)
    mount("--bind", copy, path)


def add_user(user):
    with open("/etc/passwd") as passwd, open("/etc/group") as group, open("/etc/shadow") as shadow:
        accounts, groups, secrets = passwd.read(), group.read(), shadow.read()
    name, number, home = user["name"], user["id"], user["home"]
    private_file("/etc/passwd", f"{accounts}{name}:x:{number}:{number}::{home}:/bin/sh\n")
    private_file("/etc/group", f"{groups}{name}:x:{number}:\n")
    private_file("/etc/shadow", f"{secrets}{name}:*:19000:0:99999:7:::\n", 0o600)


def open_faults_to(group):
    """What the udev rule of an installation does: the group may open /dev/userfaultfd."""
    node = "/run/userfaultfd"
    os.mknod(node, stat.S_IFCHR | 0o660, os.stat("/dev/userfaultfd").st_rdev)
    os.chown(node, 0, group)
    os.chmod(node, 0o660)
    mount("--bind", node, "/dev/userfaultfd")


def become_host(config):
    mount("--make-rprivate", "/")
    socket.sethostname(config["name"])
    mount("-t", "tmpfs", "tmpfs", "/run")
    for source, target in config["folders"]:
        mount("--bind", source, target)
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
    os.makedirs("/run/sshd", 0o755)
    private_file("/etc/hosts", config["hosts"])
    add_user(config["user"])
    open_faults_to(config["user"]["id"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main(path):
    with open(path) as file:
        config = json.load(file)
    become_host(config)
    with open(config["log"], "wb") as log:
        subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config["sshd_config"]],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    print("ready", flush=True)
    while True:  # whatever becomes an orphan here is this process's to reap
        try:
            os.wait()
        except ChildProcessError:
            ctypes.CDLL(None).pause()


if __name__ == "__main__":
    main(sys.argv[1])
