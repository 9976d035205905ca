#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""More memory than a node may hold: with --mem the result is the native one and no node exceeds its budget by more than 10 %.

  memory_budget.py BUILD [--nodes 4] [--mem-mib 512] [--program-mib 1536] [--seconds 600]

Every 10 ms each agent is measured: the content of its node's memory file (read-only copies included) and its private memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import verdicts  # noqa: E402

kSampleSeconds = 0.01
kOver = 1.10


class Agents:
    """The agents below one launcher, and what their nodes hold."""

    def __init__(self, launcher_pid):
        self.launcher = launcher_pid
        self.files = {}   # pid of an agent -> its descriptor of the memory file

    def look(self):
        """Agents whose memory file is open by now, by pid."""
        try:
            with open(f"/proc/{self.launcher}/task/{self.launcher}/children", encoding="ascii") as children:
                pids = [int(pid) for pid in children.read().split()]
        except OSError:
            return
        for pid in pids:
            if pid in self.files or not is_agent(pid):
                continue
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("/memfd:dsm (") or \
                            os.readlink(f"/proc/{pid}/fd/{fd}") == "/memfd:dsm":
                        self.files[pid] = f"/proc/{pid}/fd/{fd}"
                except OSError:
                    continue

    def sizes(self):
        """(pid, bytes of the memory file, private bytes of the agent)"""
        for pid, link in self.files.items():
            try:
                held = os.stat(link).st_blocks * 512
                with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
                    fields = statm.read().split()
                yield pid, held, (int(fields[1]) - int(fields[2])) * 4096
            except (OSError, IndexError):
                continue


def is_agent(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            return comm.read().strip() == "dsmd"
    except OSError:
        return False


def run_sampled(argv, seconds):
    """(status or None, stdout, stderr, largest size by agent, number of samples)"""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        job = subprocess.Popen(argv, stdout=out, stderr=err)
        agents, largest, samples = Agents(job.pid), {}, 0
        until = time.monotonic() + seconds
        while job.poll() is None and time.monotonic() < until:
            agents.look()
            for pid, held, private in agents.sizes():
                if held + private > largest.get(pid, (0, 0, 0))[0]:
                    largest[pid] = (held + private, held, private)
            samples += 1
            time.sleep(kSampleSeconds)   # the sampling interval, not a wait for something
        if job.poll() is None:
            job.terminate()
            job.wait()
            return None, "", "", largest, samples
        out.seek(0)
        err.seek(0)
        return job.returncode, out.read().decode(), err.read().decode(), largest, samples


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--mem-mib", type=int, default=512)
    parser.add_argument("--program-mib", type=int, default=1536)
    parser.add_argument("--seconds", type=float, default=600)
    opts = parser.parse_args(argv)
    program = [os.path.join(opts.build, "tests", "subjects", "memory_sweep"), str(opts.program_mib), str(opts.nodes)]
    native = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    results = verdicts.Verdicts()
    with tempfile.TemporaryDirectory(prefix="dsm-budget-") as folder:
        report = os.path.join(folder, "report.json")
        started = time.monotonic()
        status, said, errors, largest, samples = run_sampled(
            [os.path.join(opts.build, "bin", "dsm-launch"), "-n", str(opts.nodes), "--mem", f"{opts.mem_mib}M", "--report", report,
             "--", *program], opts.seconds)
        took = time.monotonic() - started
        if os.path.exists(report):
            with open(report, encoding="utf-8") as text:
                json.load(text)
    note = f"{took:.1f} s, {samples} samples; most MiB (file + agent): " + ", ".join(
        f"{held >> 20} + {private >> 20}" for _, held, private in largest.values())
    problem = None
    if status is None:
        problem = f"no end within {opts.seconds} s"
    elif (status, said) != (0, native):
        problem = f"status {status}, said {said!r}, natively {native!r}; stderr {errors.strip()[-300:]!r}"
    elif len(largest) != opts.nodes:
        problem = f"only {len(largest)} of {opts.nodes} agents were seen"
    elif max(total for total, _, _ in largest.values()) > kOver * (opts.mem_mib << 20):
        problem = f"over the budget of {opts.mem_mib} MiB: {note}"
    elif "no node has room" in errors:
        problem = f"there was room, yet a node says: {errors.strip()[-300:]!r}"
    results.record(f"memory_budget/{opts.program_mib}M-on-{opts.nodes}x{opts.mem_mib}M", problem, note)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
