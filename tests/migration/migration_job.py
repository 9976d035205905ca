# SPDX-License-Identifier: Apache-2.0
"""A job that is looked at, and told what to do, while it runs."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import marked_run  # noqa: E402

kCommandSeconds = 90
kEnvironment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"}


class Problem(Exception):
    """What was expected, and what was found."""


def native(argv, folder, seconds=120):
    """(exit status, standard output) of the program alone."""
    done = subprocess.run(argv, cwd=folder, env=kEnvironment, capture_output=True, timeout=seconds, check=False)
    return done.returncode, done.stdout


class Job:
    """A program over nodes. Use as a context manager."""

    def __init__(self, build, nodes, argv, folder, *options):
        self.stat_path = os.path.join(build, "bin", "dsm-stat")
        self.folder = folder
        self.report_path = os.path.join(folder, "report.json")
        self.out_path, err_path = os.path.join(folder, "out"), os.path.join(folder, "err")
        launch = [os.path.join(build, "bin", "dsm-launch"), "-n", str(nodes), "--report", self.report_path,
                  *options, "--", *argv]
        with open(self.out_path, "wb") as out, open(err_path, "wb") as err:
            self.run = marked_run.MarkedRun(launch, folder, kEnvironment, out, err)
        self.err_path = err_path
        self.id = str(self.run.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.run.end()

    def command(self, *words):
        """(exit status, standard output, standard error) of dsm-stat."""
        done = subprocess.run([self.stat_path, *words], capture_output=True, text=True, timeout=kCommandSeconds, check=False)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def look(self):
        """The job's part of dsm-stat --json, or None when it cannot be had (any more)."""
        status, out, _ = self.command("-j", self.id)
        if status != 0:
            return None
        jobs = json.loads(out)["jobs"]
        return jobs[0] if jobs else None

    def wait_until(self, what, holds, seconds=60):
        """The first view of the job for which `holds(job)`; `what` names it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.look()
            if job and holds(job):
                return job
            if self.run.process.poll() is not None:
                raise Problem(f"the job ended before {what}; stderr: {self.errors()}")
            time.sleep(0.02)
        raise Problem(f"waited {seconds} s for {what}")

    def errors(self):
        with open(self.err_path, errors="replace") as file:
            return " ".join(file.read().split())[-300:]

    def end(self, seconds=150):
        """(exit status, standard output, report)."""
        status = self.run.wait(seconds)
        if status is None:
            raise Problem(f"no end within {seconds} s; stderr: {self.errors()}")
        left = self.run.wait_for_no_process(2)
        if left:
            raise Problem("processes left behind: " + marked_run.describe(left))
        with open(self.out_path, "rb") as out, open(self.report_path) as report:
            return status, out.read(), json.load(report)["jobs"][0]


def node(job, number):
    return next(n for n in job["nodes"] if n["id"] == number)


def threads_on(job, number):
    return [t["tid"] for t in job["threads"] if t["node"] == number and t["state"] != "ended"]
