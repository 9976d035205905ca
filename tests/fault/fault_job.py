# SPDX-License-Identifier: Apache-2.0
"""A job that something will be done to: started in private folders, its pids from dsm-stat."""

import json
import os
import subprocess
import sys
import time

kHere = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(kHere, "..", "harness"))

import marked_run  # noqa: E402

# From the start of the launcher to a job that dsm-stat shows with all its nodes.
kReadySeconds = 15


class Problem(Exception):
    """What was expected and what was found, in one line."""


def require(condition, text):
    if not condition:
        raise Problem(text)


class Places:
    """Where the programs under test and the logs are."""

    def __init__(self, build):
        build = os.path.abspath(build)
        self.launcher = os.path.join(build, "bin", "dsm-launch")
        self.stat = os.path.join(build, "bin", "dsm-stat")
        self.subjects = os.path.join(build, "tests", "subjects")
        self.logs = os.path.join(build, "logs", "fault")
        os.makedirs(self.logs, exist_ok=True)

    def subject(self, name):
        return os.path.join(self.subjects, name)


def environment():
    kept = {name: value for name, value in os.environ.items()
            if name.endswith("SAN_OPTIONS") or name == "DSM_LOG"}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/tmp", **kept}


class Job:
    """`dsm-launch -n nodes -- argv`. A context manager: leaving it ends what is left."""

    def __init__(self, places, name, nodes, argv, launch_args=(), prefix=None):
        self.places = places
        self.nodes = nodes
        self.log = os.path.join(places.logs, name)
        command = prefix if prefix is not None else [
            places.launcher, "-n", str(nodes), "--place", "rr", *launch_args, "--"]
        with open(self.log + ".out", "wb") as out, open(self.log + ".err", "wb") as err:
            self.run = marked_run.MarkedRun([*command, *argv], "/tmp", environment(), out, err)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.run.end()

    def output(self):
        with open(self.log + ".out", "rb") as file:
            return file.read()

    def error_lines(self):
        with open(self.log + ".err", "rb") as file:
            return file.read().decode(errors="replace").splitlines()

    def ready_nodes(self):
        """The nodes of the job as dsm-stat shows them, once all have an agent and an application.

        Raises Problem after the deadline, or when the job ended before.
        """
        deadline = time.monotonic() + kReadySeconds
        seen = "nothing"
        while time.monotonic() < deadline:
            require(self.run.process.poll() is None,
                    f"the job ended by itself: {' / '.join(self.error_lines()[-2:])}")
            seen = self._stat()
            if isinstance(seen, list):
                return seen
            time.sleep(0.02)
        raise Problem(f"dsm-stat does not show {self.nodes} running nodes but {seen}")

    def _stat(self):
        """The list of nodes when it is complete, else a text that says what there is."""
        env = {**environment(), "TMPDIR": self.run.dirs.tmp,
               "XDG_RUNTIME_DIR": self.run.dirs.runtime}
        try:
            done = subprocess.run([self.places.stat, "--json"], env=env, capture_output=True,
                                  timeout=5, check=False)
            document = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            return "a dsm-stat that hangs"
        except ValueError:
            return f"no JSON (exit status {done.returncode})"
        require(document.get("schema") == "dsm-stat/1", f"schema {document.get('schema')!r}")
        for job in document["jobs"]:
            if job.get("launcher_pid") != self.run.process.pid:
                continue
            complete = [node for node in job["nodes"]
                        if node.get("agent_pid") and node.get("app_pid")]
            if len(complete) == self.nodes:
                return complete
            return f"{len(complete)} complete nodes"
        return f"{len(document['jobs'])} other jobs"

    def signal(self, pid, number):
        """Sends a signal to a process of this job; refuses any other."""
        require(pid in self.run.pids(), f"process {pid} of dsm-stat is not one of this job")
        os.kill(pid, number)
