#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs that keep checkpoints (--ckpt-dir), and are restarted from them (--restart) on as many, fewer and more nodes.

usage: restart_cases.py BUILD [NAME...]

The native run is the oracle: taking checkpoints changes nothing, and a restart writes what was still to be written.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import verdicts  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs"))

import inputs  # noqa: E402

kSeconds = 90
kRounds = "4"


def run(argv, folder):
    """(status or None at the deadline, stdout, stderr)"""
    try:
        done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=kSeconds)
    except subprocess.TimeoutExpired as late:
        return None, late.stdout or b"", late.stderr or b""
    return done.returncode, done.stdout, done.stderr


def problem(what, wanted, got):
    if got[:2] == wanted:
        return None
    return f"{what}: status {got[0]}, said {got[1][-200:]!r}, expected {wanted!r}; stderr {got[2].decode(errors='replace')[-400:]}"


class Cases:
    def __init__(self, build, scratch):
        self.launcher, self.tool = os.path.join(build, "bin/dsm-launch"), os.path.join(build, "bin/dsm-ckpt")
        self.program = [os.path.join(build, "tests/under_checkpoints"), kRounds]
        self.inputs = os.path.join(build, "tests", "inputs")
        self.scratch = scratch
        self.store = os.path.join(scratch, "store")

    def keep(self, nodes):
        return run([self.launcher, "-n", nodes, "--ckpt-dir", self.store, "--", *self.program], self.scratch)

    def restart(self, nodes, *options):
        return run([self.launcher, "-n", nodes, *options, "--restart", self.store], self.scratch)

    def restarted(self, nodes, others):
        wanted = run(self.program, self.scratch)[:2]
        wrong = problem(f"with checkpoints on {nodes} nodes", wanted, self.keep(nodes))
        verified = run([self.tool, "verify", self.store], self.scratch)
        if not wrong and verified[0] != 0:
            wrong = f"dsm-ckpt verify: status {verified[0]}, {verified[1]!r} {verified[2]!r}"
        for again in others:
            wrong = wrong or problem(f"restarted on {again} nodes", wanted, self.restart(again))
        return wrong

    def test_one_node(self):
        return self.restarted("1", ["1", "3"])

    def test_three_nodes(self):
        return self.restarted("3", ["3", "1", "4"])

    # The launcher is killed when there is a generation; the restart ends what the job had begun.
    def killed(self, command, output):
        wanted = run(command, self.scratch)[:2]
        path = os.path.join(self.scratch, output)
        with open(path, "rb") as file:
            oracle = file.read()
        os.remove(path)
        argv = [self.launcher, "-n", "3", "--ckpt-dir", self.store, "--ckpt-every", "0.2", "--", *command]
        with subprocess.Popen(argv, cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as job:
            deadline = time.monotonic() + kSeconds
            while job.poll() is None and not self.has_generation() and time.monotonic() < deadline:
                time.sleep(0.01)
            early = job.poll() is None
            job.kill()
        if not self.has_generation():
            return "no generation was committed"
        if not early:
            return "the job ended before it could be killed: the input is too small"
        wrong = problem("restarted", wanted, self.restart("2"))
        with open(path, "rb") as file:
            return wrong or (None if file.read() == oracle else "the output file differs")

    def has_generation(self):
        return any(name.startswith("commit-") and not name.endswith(".tmp") for _, _, names in os.walk(self.store) for name in names)

    # Its standard output is a file that it has opened itself.
    def test_killed_sort(self):
        with open(os.path.join(self.scratch, "lines"), "w", encoding="ascii") as file:
            file.writelines(f"{number * 2654435761 % 1000003:07d} {'x' * (number % 60)}\n" for number in range(600000))
        return self.killed(["/usr/bin/sort", "--parallel=4", "-S", "400M", "-o", "sorted", "lines"], "sorted")

    def test_killed_pigz(self):
        shutil.copyfile(inputs.input_path(self.inputs, "text_24m"), os.path.join(self.scratch, "text"))
        return self.killed(["/usr/bin/pigz", "-p4", "-9", "-n", "-k", "-f", "text"], "text.gz")

    # A damaged newest generation is named, and the one before it is used.
    def test_damaged_generation(self):
        wanted = run(self.program, self.scratch)[:2]
        wrong = problem("with checkpoints", wanted, self.keep("2"))
        if wrong:
            return wrong
        job = os.path.join(self.store, os.listdir(self.store)[0], "node-0")
        manifests = [name for name in os.listdir(job) if name.endswith(".manifest")]
        if len(manifests) != 2:
            return f"{len(manifests)} generations are kept, expected 2"
        newest = os.path.join(job, max(manifests, key=lambda name: int(name.split(".")[0].split("-")[1])))
        with open(newest, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            byte = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([byte[0] ^ 1]))
        got = self.restart("2")
        if os.path.basename(newest).encode() not in got[2]:
            return f"{newest} is not named: {got[2]!r}"
        return problem("restarted from the older one", wanted, got)

    def test_nothing_there(self):
        got = self.restart("2")
        if got[0] == 125 and b"--restart" in got[2]:
            return None
        return f"status {got[0]}, expected 125; stderr {got[2]!r}"

    def test_two_jobs(self):
        wanted = run(self.program, self.scratch)[:2]
        for nodes in ("1", "2"):
            wrong = problem("with checkpoints", wanted, self.keep(nodes))
            if wrong:
                return wrong
        both = self.restart("2")
        if both[0] != 125 or b"several jobs" not in both[2]:
            return f"two jobs below the directory: status {both[0]}, {both[2]!r}"
        self.store = os.path.join(self.store, sorted(os.listdir(self.store))[0])
        return problem("one of them named", wanted, self.restart("2"))

    def test_checkpoint_without_directory(self):
        wanted = run(self.program, self.scratch)[:2]
        return problem("without --ckpt-dir", wanted, run([self.launcher, "-n", "2", "--", *self.program], self.scratch))


def main():
    build, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    results = verdicts.Verdicts()
    for name in [name for name in dir(Cases) if name.startswith("test_")]:
        if wanted and name[5:] not in wanted:
            continue
        scratch = tempfile.mkdtemp(prefix="dsm-restart-")
        try:
            results.record(name[5:], getattr(Cases(build, scratch), name)())
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main())
