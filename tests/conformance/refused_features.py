#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a distributed program cannot have is refused, and named once on stderr with -v, and only then.

  refused_features.py BUILD
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import verdicts  # noqa: E402

kSeconds = 60
kRefused = ["io_uring", "Linux AIO (io_setup)", "vmsplice", "userfaultfd", "ptrace", "seccomp filters",
            "huge pages (MAP_HUGETLB)"]
kExpected = ["io_uring ENOSYS", "io_setup ENOSYS", "vmsplice ENOSYS", "userfaultfd ENOSYS", "ptrace EPERM", "seccomp ENOSYS",
             "prctl EINVAL", "hugetlb ENOMEM"]


def run(build, *options):
    job = subprocess.run([os.path.join(build, "bin", "dsm-launch"), "-n", "2", "--place", "node:1", *options, "--",
                          os.path.join(build, "tests", "subjects", "refused_features")],
                         capture_output=True, text=True, timeout=kSeconds, check=False)
    return job.returncode, job.stdout.splitlines(), job.stderr.splitlines()


def main(argv):
    build = os.path.abspath(argv[1])
    results = verdicts.Verdicts()
    for name, options, times in (("quiet", (), 0), ("verbose", ("-v",), 1)):
        status, said, errors = run(build, *options)
        # The program asks for all of them in the main thread, then in a thread of another node.
        problem = None if (status, said) == (0, kExpected * 2) else f"status {status}, said {said}"
        for feature in kRefused:
            lines = sum(f"{feature} is not available" in line for line in errors)
            if lines != times:
                problem = problem or f"{feature} named {lines} times, not {times}: {errors}"
        results.record(f"refused_features/{name}", problem)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
