#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs that keep checkpoints and lose a part: kill -9 of the application, a vessel, a worker's agent, the origin's agent, at random moments
after the first generation. The job goes on by itself, and its output and status are those of the native run.

usage: recovery_cases.py BUILD [--kills N] [--seed S] [--only REGEX]

--kills: of each victim, of each program.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs"))

import inputs  # noqa: E402
import verdicts  # noqa: E402

kSeconds = 120
kNodes = 3
kEvery = "0.3"
kVictims = {"application": ("app_pid", 0), "vessel": ("app_pid", 1), "worker-agent": ("agent_pid", 2), "origin-agent": ("agent_pid", 0)}


class Job:
    def __init__(self, build, folder, command):
        self.stat = os.path.join(build, "bin/dsm-stat")
        self.store = os.path.join(folder, "store")
        self.out, self.err = open(os.path.join(folder, "out"), "wb+"), open(os.path.join(folder, "err"), "wb+")
        argv = [os.path.join(build, "bin/dsm-launch"), "-n", str(kNodes), "--ckpt-dir", self.store, "--ckpt-every", kEvery, "--", *command]
        self.process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err)

    def look(self):
        done = subprocess.run([self.stat, "--json"], capture_output=True, timeout=kSeconds, check=False)
        jobs = json.loads(done.stdout or b'{"jobs": []}')["jobs"]
        return next((job for job in jobs if job["launcher_pid"] == self.process.pid and job.get("nodes")), None)

    def has_generation(self):
        return any(name.startswith("commit-") and not name.endswith(".tmp") for _, _, names in os.walk(self.store) for name in names)

    def kill(self, victim, moment):
        """False when the job was over before."""
        deadline = time.monotonic() + kSeconds
        while not self.has_generation():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        time.sleep(moment)   # the kill's place in the run, not a wait for something
        field, node = kVictims[victim]
        view = self.look()
        pid = view["nodes"][node].get(field) if view else None
        if not pid or self.process.poll() is not None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def end(self):
        try:
            status = self.process.wait(kSeconds)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
            status = None
        self.out.seek(0)
        self.err.seek(0)
        return status, self.out.read(), self.err.read().decode(errors="replace")


def content(path):
    with open(path, "rb") as file:
        return file.read()


def verdict(opts, command, output, victim, moment, native):
    folder = tempfile.mkdtemp(prefix="dsm-recovery-")
    try:
        if output:
            shutil.copyfile(inputs.input_path(os.path.join(opts.build, "tests", "inputs"), "text_24m"), os.path.join(folder, "text"))
        job = Job(opts.build, folder, command)
        killed = job.kill(victim, moment)
        status, said, errors = job.end()
        if (status, said) != native[:2]:
            return f"status {status}, said {said[-200:]!r}, expected {native[:2]!r}; stderr {errors[-600:]}", None
        if output and content(os.path.join(folder, output)) != native[2]:
            return f"the file differs; stderr {errors[-600:]}", None
        if killed and "going on from generation" not in errors:
            return f"it was killed after {moment:.2f} s and says nothing of going on: {errors[-300:]}", None
        return None, f"killed {moment:.2f} s after the first generation" if killed else "over before the kill"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def oracle(opts, command, output):
    folder = tempfile.mkdtemp(prefix="dsm-recovery-")
    try:
        if output:
            shutil.copyfile(inputs.input_path(os.path.join(opts.build, "tests", "inputs"), "text_24m"), os.path.join(folder, "text"))
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=kSeconds, check=False)
        return done.returncode, done.stdout, content(os.path.join(folder, output)) if output else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=re.compile)
    opts = parser.parse_args()
    opts.build = os.path.abspath(opts.build)
    rng = random.Random(opts.seed)
    print(f"# seed {opts.seed}")
    programs = {
        "stencil": ([os.path.join(opts.build, "tests/subjects/stencil_barrier"), "4", "2500", "512"], None),
        "pigz": (["/usr/bin/pigz", "-p4", "-9", "-n", "-k", "text"], "text.gz"),
    }
    results = verdicts.Verdicts()
    for name, (command, output) in programs.items():
        native = oracle(opts, command, output)
        for victim in kVictims:
            for turn in range(1, opts.kills + 1):
                moment = rng.uniform(0, 1)
                label = f"{name}-{victim}" + (f"-{turn}" if opts.kills > 1 else "")
                if not opts.only or opts.only.search(label):
                    results.record(label, *verdict(opts, command, output, victim, moment, native))
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main())
