# SPDX-License-Identifier: Apache-2.0
"""Runs one case once, natively or under dsm-launch, and compares two runs."""

import dataclasses
import hashlib
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import inputs  # noqa: E402
import job_report  # noqa: E402
import made_programs  # noqa: E402
import marked_run  # noqa: E402

kHere = os.path.dirname(os.path.abspath(__file__))

# A distributed run may take this many times the native one; start-up comes on top.
kSlowdownLimit = 60
kStartupSeconds = 5
# A run that lasts so long must show the migrations that were asked for (--least-moves), at this rate.
kSecondsToCountMoves = 2
kLeastMovesPerSecond = 50
# How long helpers of a job may outlive the launcher.
kGoneSeconds = 2


@dataclasses.dataclass
class Result:
    """What one run did. `status` is None when the deadline ended it."""

    folder: str
    seconds: float
    status: int
    stdout: bytes
    stderr: bytes
    outputs: dict
    leftover: str = ""


class Runner:
    def __init__(self, build, long=False):
        """`build` is the build folder that holds bin/ and tests/subjects/; `long`: the sizes of the long set."""
        self.long = long
        self.build = os.path.abspath(build)
        self.launcher = os.path.join(self.build, "bin", "dsm-launch")

    def prepare(self, case, label):
        """A fresh folder with the inputs of the case. Returns its path."""
        folder = os.path.join(self.build, "logs", "programs", case.name, label)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name, as_name in case.inputs:
            path = inputs.input_path(os.path.join(self.build, "tests", "inputs"), name)
            shutil.copyfile(path, os.path.join(folder, as_name))
        return folder

    def run(self, case, label, prefix=(), deadline=60):
        folder = self.prepare(case, label)
        made = os.path.join(self.build, "tests", "made")
        for name in case.made:
            made_programs.make(made, name)
        words = {"here": kHere, "subjects": os.path.join(self.build, "tests", "subjects"), "made": made,
                 "size": case.sizes[self.long]}
        argv = [*(part.replace("{run}", folder) for part in prefix),
                *(part.format(**words) for part in case.argv)]
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": folder,
               "PYTHONDONTWRITEBYTECODE": "1", **dict(case.env)}
        for kept in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "DSM_LOG"):
            if kept in os.environ:
                env[kept] = os.environ[kept]
        with open(os.path.join(folder, "stdout"), "wb") as out, \
                open(os.path.join(folder, "stderr"), "wb") as err, \
                marked_run.MarkedRun(argv, folder, env, out, err) as job:
            begin = time.monotonic()
            status = job.wait(deadline)
            seconds = time.monotonic() - begin
            leftover = ""
            if status is not None:
                left = job.wait_for_no_process(kGoneSeconds)
                files = job.dirs.leftovers() if not left else []
                if left:
                    leftover = "processes left behind: " + marked_run.describe(left)
                elif files and prefix:
                    leftover = "files left behind: " + ", ".join(files[:5])
        return Result(folder, seconds, status, _read(folder, "stdout"), _read(folder, "stderr"),
                      {name: _digest(folder, name) for name in case.outputs}, leftover)


def _read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def _digest(folder, name):
    try:
        return hashlib.sha256(_read(folder, name)).hexdigest()
    except FileNotFoundError:
        return None


def native_problem(case, native):
    """Why this native run cannot serve as the oracle, or None."""
    if native.status is None:
        return "native run: no end before its deadline"
    if native.status != case.status:
        return f"native run: exit status {native.status}, expected {case.status}; {_last(native)}"
    missing = [name for name, digest in native.outputs.items() if digest is None]
    if missing:
        return f"native run: no output file {missing[0]}"
    return "native run: " + native.leftover if native.leftover else None


def difference(case, native, other):
    """The first difference that counts between the oracle and another run, or None."""
    if other.status is None:
        return f"no end within {other.seconds:.0f} s; {_last(other)}"
    if other.status != native.status:
        return f"exit status {other.status}, expected {native.status}; {_last(other)}"
    expected, found = case.normalise(native.stdout), case.normalise(other.stdout)
    if found != expected:
        at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b),
                  min(len(expected), len(found)))
        return (f"standard output differs at byte {at} ({len(found)} bytes, "
                f"expected {len(expected)})")
    for name, digest in native.outputs.items():
        if other.outputs[name] != digest:
            return f"file {name} differs" if other.outputs[name] else f"no file {name}"
    return other.leftover or None


def migration_problem(moves, seconds, least_moves):
    """Why too few threads moved in a run of so many seconds, or None."""
    if least_moves == 0 or seconds < kSecondsToCountMoves:
        return None
    if moves < least_moves or moves < kLeastMovesPerSecond * seconds:
        return (f"report: {moves} migrations in {seconds:.1f} s, expected {least_moves} and "
                f"{kLeastMovesPerSecond} a second")
    return None


def distribution_problem(case, native, other, nodes, report_path, least_moves=0):
    """Why a run with the right output still does not count, or None; and a note on it."""
    try:
        report = job_report.JobReport(report_path)
        remote, moved, seen = report.remote_threads(), report.pages_moved(), report.nodes()
        share = report.remote_cpu_share()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"report: {error!r}", None
    ratio = other.seconds / max(native.seconds, 1e-3)
    note = (f"native {native.seconds:.2f} s, {nodes} nodes {other.seconds:.2f} s ({ratio:.1f}x), "
            f"{remote} remote threads with {100 * share:.0f} % of the CPU time, {moved} pages moved, "
            f"{report.migrations()} migrations")
    if seen != nodes:
        return f"report: {seen} nodes, expected {nodes}", note
    if case.distributed and remote < 1:
        return "report: no thread ran on another node", note
    if case.distributed and moved < 1:
        return "report: no page moved", note
    if case.distributed and (problem := migration_problem(report.migrations(), other.seconds, least_moves)):
        return problem, note
    if least_moves == 0 and share < case.remote_cpu:
        return f"report: {100 * share:.0f} % of the CPU time on other nodes, expected {100 * case.remote_cpu:.0f} %", note
    if least_moves == 0 and other.seconds > kSlowdownLimit * native.seconds + kStartupSeconds:
        return f"{ratio:.0f}x slower than native, allowed are {kSlowdownLimit}x", note
    if case.compare_errors:
        return case.compare_errors(native.stderr, other.stderr, nodes), note
    return None, note


def _last(result):
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    return "last line of stderr: " + (lines[-1][:200] if lines else "(empty)")
