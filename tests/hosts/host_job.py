# SPDX-License-Identifier: Apache-2.0
"""One command on the first host, as the ordinary user."""

import os
import subprocess
import time

import host_cluster

kLauncher = host_cluster.kInstalled + "/bin/dsm-launch"
kEndSeconds = 90


class Problem(Exception):
    """What was expected and what was found, in one line."""


def require(condition, text):
    if not condition:
        raise Problem(text)


class HostJob:
    """A started command; `status` as a shell gives it."""

    def __init__(self, cluster, argv, **env):
        self.cluster, self.host = cluster, cluster.hosts[0]
        command = self.host.enter(*(f"{name}={value}" for name, value in env.items()), *argv)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)

    def end(self, seconds=kEndSeconds):
        """(status, stdout, stderr lines). Raises Problem at the deadline."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.cluster.kill_jobs()
            self.process.kill()
            out, err = self.process.communicate()
            raise Problem(f"no end within {seconds} s; stderr: {' / '.join(err.decode(errors='replace').splitlines()[-3:])}")
        status = self.process.returncode
        return status if status >= 0 else 128 - status, out, err.decode(errors="replace").splitlines()

    def wait_for(self, host, name, seconds=30):
        """The pid of the process `name` on `host`, as seen from outside."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Problem(f"the job ended before there was a {name} on {host.name}: {self._errors()}")
            for pid, found in host.of_jobs().items():
                if found == name:
                    return pid
            time.sleep(0.05)
        raise Problem(f"no {name} on {host.name} within {seconds} s")

    def _errors(self):
        return self.process.stderr.read().decode(errors="replace").strip()


def launch(cluster, words, program, **env):
    return HostJob(cluster, [kLauncher, *words, "--", *program], **env)


def put(cluster, host, source, name):
    """A copy of `source` in the work folder of `host`. Returns its path there."""
    target = os.path.join(cluster.share_of(host), "work", name)
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())
    os.chmod(target, 0o755)
    return os.path.join(host_cluster.kShare, "work", name)
