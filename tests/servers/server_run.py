# SPDX-License-Identifier: Apache-2.0
"""One server under dsm-launch: started, waited for, loaded from outside, stopped by SIGTERM."""

import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import job_report  # noqa: E402
import marked_run  # noqa: E402

kStartSeconds = 60
kStopSeconds = 2
kGoneSeconds = 2


class ServerRun:
    """A context manager. `problem` is what was found wrong first, or None; `note` says what was measured."""

    def __init__(self, launcher, nodes, argv, status=(0,), user=None):
        """`status`: the exit statuses that a stop by SIGTERM may give."""
        self.status = status
        self.problem, self.note = None, ""
        self.folder = tempfile.mkdtemp(prefix="dsms-", dir="/tmp")
        self.report = os.path.join(self.folder, "report.json")
        self.error_path = os.path.join(self.folder, "stderr")
        self.errors = open(self.error_path, "wb")  # noqa: SIM115: closed in __exit__
        command = [launcher, "-n", str(nodes), "--place", "rr", "--report", self.report, "--", *argv]
        more = {"user": user} if user else {}
        self.job = marked_run.MarkedRun(command, self.folder, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
                                        self.errors, self.errors, **more)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.job.end()
        self.errors.close()
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        os.rmdir(self.folder)

    def fail(self, what):
        """Keeps the first problem."""
        if what and not self.problem:
            with open(self.error_path, encoding="utf-8", errors="replace") as file:
                lines = file.read().strip().splitlines()
            self.problem = f"{what}; last line of stderr: {lines[-1][:200] if lines else '(empty)'}"

    def started(self, is_up):
        """Waits until `is_up()`; False, and a problem, when the server ends or takes too long."""
        deadline = time.monotonic() + kStartSeconds
        while time.monotonic() < deadline:
            if self.job.process.poll() is not None:
                self.fail(f"the server ended with {self.job.process.returncode} before it answered")
                return False
            if is_up():
                return True
            time.sleep(0.1)
        self.fail(f"the server did not answer within {kStartSeconds} s")
        return False

    def stop(self, distributed=True):
        """SIGTERM to the launcher, as a supervisor would send it."""
        begin = time.monotonic()
        os.kill(self.job.process.pid, signal.SIGTERM)
        status = self.job.wait(10 * kStopSeconds)
        seconds = time.monotonic() - begin
        self.note += f", stopped in {seconds:.2f} s"
        if status not in self.status:
            self.fail(f"exit status {status} after SIGTERM, expected {self.status}")
        if seconds > kStopSeconds:
            self.fail(f"stopped {seconds:.1f} s after SIGTERM, allowed are {kStopSeconds}")
        if left := self.job.wait_for_no_process(kGoneSeconds):
            self.fail("processes left behind: " + marked_run.describe(left))
        if distributed and not self.problem:
            self.check_report()

    def check_report(self):
        try:
            report = job_report.JobReport(self.report)
            self.note += f", {report.remote_threads()} remote threads, {report.pages_moved()} pages moved"
            if report.remote_threads() < 1 or report.pages_moved() < 1:
                self.fail("report: no thread ran on another node, or no page moved")
        except (OSError, ValueError, KeyError) as error:
            self.fail(f"report: {error!r}")
