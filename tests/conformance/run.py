#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Conformance: each case of each program of this folder natively, which is the oracle, then over two nodes.

In each the body runs in the main thread (on node 0), and in a thread of its own, which the placement puts on node 1.
Standard output and exit status must be those of the native run.

  run.py --build build
  run.py --build build --only 'signals|restart' [--ways thread] [-v]
  run.py --native-only         each case twice natively: are the oracles repeatable?

Prints PASS or FAIL lines, one a case and way.
"""

import argparse
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import marked_run  # noqa: E402
import verdicts  # noqa: E402

kNativeSeconds = 30
kJobSeconds = 60
kGoneSeconds = 2
kWays = ("main", "thread")


def options(argv):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="the build folder")
    parser.add_argument("--only", type=re.compile, help="program:case names that match")
    parser.add_argument("--ways", nargs="+", choices=kWays, default=kWays)
    parser.add_argument("--native-only", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what each case said")
    return parser.parse_args(argv)


def cases(build):
    """(program's path, its name, case) of all programs below BUILD/tests/subjects/conformance."""
    folder = os.path.join(build, "tests", "subjects", "conformance")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        listed = subprocess.run([path, "--list"], capture_output=True, text=True, timeout=kNativeSeconds, check=True)
        for case in listed.stdout.split():
            yield path, name, case


def run(argv, seconds):
    """(exit status or None at the deadline, stdout, what was left behind, last line of stderr)."""
    dirs = marked_run.RunDirs()
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": dirs.tmp}
    out_path, err_path = os.path.join(dirs.root, "out"), os.path.join(dirs.root, "err")
    with open(out_path, "wb") as out, open(err_path, "wb") as err, \
            marked_run.MarkedRun(argv, dirs.tmp, env, out, err, dirs=dirs) as job:
        status = job.wait(seconds)
        left = job.wait_for_no_process(kGoneSeconds) if status is not None else []
        leftover = "left behind: " + marked_run.describe(left) if left else ""
        with open(out_path, "rb") as said, open(err_path, "rb") as errors:
            text, complaints = said.read(), errors.read().decode(errors="replace").strip()
    return status, text, leftover, complaints.splitlines()[-1][:200] if complaints else ""


def difference(native, other):
    """What is wrong with a run, or None."""
    status, text, leftover, complaint = other
    if status is None:
        return f"no end before its deadline; said {text!r}; stderr {complaint!r}"
    if text != native[1]:
        return f"said {text!r}, natively {native[1]!r}; stderr {complaint!r}"
    if status != native[0]:
        return f"exit status {status}, natively {native[0]}; stderr {complaint!r}"
    return leftover or None


def compare(opts, path, case, way):
    native = run([path, case, way], kNativeSeconds)
    if native[0] is None:
        return "native run: no end before its deadline"
    if opts.verbose:
        print(f"# {case} {way}: status {native[0]}, {native[1].decode(errors='replace')!r}")
    launcher = [os.path.join(opts.build, "bin", "dsm-launch"), "-n", "2", "--place", "node:1", "--"]
    return difference(native, run([*([] if opts.native_only else launcher), path, case, way], kJobSeconds))


def main(argv):
    opts = options(argv)
    opts.build = os.path.abspath(opts.build)
    results = verdicts.Verdicts()
    for path, name, case in cases(opts.build):
        for way in opts.ways:
            if not opts.only or opts.only.search(f"{name}:{case}:{way}"):
                results.record(f"{name}/{case}-{way}", compare(opts, path, case, way))
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
