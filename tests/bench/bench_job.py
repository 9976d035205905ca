# SPDX-License-Identifier: Apache-2.0
"""Runs one of the bench's programs, natively or on two nodes, and reads the line of JSON that it prints."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))
from job_report import JobReport  # noqa: E402

DEADLINE_SECONDS = 90


class BenchError(Exception):
    """A program that did not measure anything; one line that says why."""


@dataclass
class Outcome:
    figures: dict
    report: JobReport = None


@dataclass
class Bench:
    build: Path
    nodes: int = 2
    poll: str = "always"
    launched: int = field(default=0)

    def native(self, program, *arguments):
        """The figures of a program of ours that runs alone."""
        return self._run([str(self.build / "tests" / program), *map(str, arguments)])

    def distributed(self, program, *arguments, lease="auto"):
        """The same program unchanged, on two nodes whose agents poll."""
        self.launched += 1
        with tempfile.TemporaryDirectory(prefix="dsm-bench-") as scratch:
            report = Path(scratch) / "report.json"
            command = [*self.launcher(), "--place", "rr", "--lease", lease, "--report", str(report), "--",
                       str(self.build / "tests" / program), *map(str, arguments)]
            figures = self._run(command)
            try:
                return Outcome(figures, JobReport(report))
            except (OSError, ValueError) as error:
                raise BenchError(f"no report: {error}") from error

    def launcher(self):
        return [str(self.build / "bin" / "dsm-launch"), "-n", str(self.nodes), "--poll", self.poll]

    def startup_ms(self):
        begin = time.monotonic()
        done = subprocess.run([*self.launcher(), "--", "/bin/true"], capture_output=True, timeout=DEADLINE_SECONDS)
        elapsed = (time.monotonic() - begin) * 1000
        if done.returncode != 0:
            raise BenchError(f"dsm-launch -- /bin/true ended with {done.returncode}: {last_line(done.stderr)}")
        return elapsed

    def text(self, program):
        """What a program of the tests prints."""
        return self._output([str(self.build / "tests" / program)])

    def _run(self, command):
        text = self._output(command)
        try:
            return json.loads(text.strip().splitlines()[-1])
        except (IndexError, ValueError) as error:
            raise BenchError(f"{Path(command[-1]).name} printed no figures") from error

    def _output(self, command):
        try:
            done = subprocess.run(command, capture_output=True, timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"not finished after {DEADLINE_SECONDS} s") from error
        except OSError as error:
            raise BenchError(str(error)) from error
        if done.returncode != 0:
            raise BenchError(f"exit status {done.returncode}: {last_line(done.stderr)}")
        return done.stdout.decode(errors="replace")


def last_line(stderr):
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
