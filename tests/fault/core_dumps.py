#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Core dumps are whole: what a thread of another node wrote is in the dump, and untouched memory makes it no larger.

  core_dumps.py BUILD

Prints PASS or FAIL for each way to die; SKIP where the kernel does not write dumps into the working folder.
"""

import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import verdicts  # noqa: E402

kWords = 1 << 17
kMultiplier = 0x9E3779B97F4A7C15
kMostBytes = 200 << 20   # of a dump; the program reserves 1 GiB
kSeconds = 60
kWays = [(how, who) for how in ("abort", "access", "quit") for who in ("main", "thread")]


def allow_dumps():
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell ignores it for what it runs in the background
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def reason_to_skip():
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
        name = pattern.read().strip()
    if name.startswith(("|", "/")) or "/" in name:
        return f"dumps go to {name!r}"
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return None if hard == resource.RLIM_INFINITY or os.geteuid() == 0 else "the hard limit on core dumps is finite"


class Core:
    def __init__(self, path):
        self.file = open(path, "rb")
        header = self.file.read(64)
        at, size, count = *struct.unpack_from("<Q", header, 32), *struct.unpack_from("<HH", header, 54)
        self.file.seek(at)
        entries = [struct.unpack("<IIQQQQQQ", self.file.read(size)) for _ in range(count)]
        self.loads = [(e[3], e[2], e[5]) for e in entries if e[0] == 1]   # address, place in the file, bytes there

    def read(self, address, size):
        """What the dump holds, which may be spread over several segments."""
        found = b""
        while len(found) < size:
            want = address + len(found)
            for start, offset, held in self.loads:
                if start <= want < start + held:
                    self.file.seek(offset + want - start)
                    found += self.file.read(min(size - len(found), start + held - want))
                    break
            else:
                return found
        return found


def one_case(build, how, who):
    with tempfile.TemporaryDirectory(prefix="dsm-core-") as folder:
        run = subprocess.run([os.path.join(build, "bin", "dsm-launch"), "-n", "2", "--place", "node:1", "--",
                              os.path.join(build, "tests", "subjects", "core_writer"), how, who],
                             cwd=folder, preexec_fn=allow_dumps, capture_output=True, text=True, timeout=kSeconds, check=False)
        expected = 128 + {"abort": 6, "access": 11, "quit": 3}[how]
        if run.returncode != expected:
            return f"exit status {run.returncode} instead of {expected}: {run.stderr.strip()!r}"
        words_at, touched_at = (int(text, 16) for text in run.stdout.split())
        dumps = [name for name in os.listdir(folder) if name.startswith("core")]
        if len(dumps) != 1:
            return f"found {os.listdir(folder)} instead of one dump; stderr {run.stderr.strip()!r}"
        path = os.path.join(folder, dumps[0])
        if os.path.getsize(path) > kMostBytes:
            return f"the dump has {os.path.getsize(path) >> 20} MiB"
        core = Core(path)
        held = core.read(words_at, kWords * 8)
        if held != b"".join(struct.pack("<Q", i * kMultiplier % (1 << 64)) for i in range(kWords)):
            return f"{len(held)} of {kWords * 8} bytes are there, and not all are right"
        return None if core.read(touched_at, 1) == b"r" else "a page inside reserved memory is missing"


def main(argv):
    if reason := reason_to_skip():
        print(f"SKIP core_dumps {reason}")
        return 0
    results = verdicts.Verdicts()
    for how, who in kWays:
        results.record(f"core_dumps/{how}-{who}", one_case(os.path.abspath(argv[1]), how, who))
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
