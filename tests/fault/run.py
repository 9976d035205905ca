#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fault tests: processes of a job are killed or stopped, Ctrl-C is pressed, and programs are named
that cannot run. What must come out stands in each *_tests.py.

  run.py --set check               12 kills, and each of the others once
  run.py --set soak                50 kills
  run.py --only kill-vessel --kills 100 --seed 7
  run.py --native-only             what can be tested without dsm: the programs used here

A kill is replayed by its seed and number, which are in its name. Prints PASS or FAIL lines; logs
are in <build>/logs/fault.
"""

import argparse
import os
import re
import shlex
import sys

sys.dont_write_bytecode = True

import child_tests  # noqa: E402
import fault_job  # noqa: E402
import kill_tests  # noqa: E402
import status_tests  # noqa: E402
import stop_tests  # noqa: E402
import terminal_tests  # noqa: E402
import verdicts  # noqa: E402

kKills = {"check": 12, "soak": 50}


def options(argv):
    root = os.path.join(fault_job.kHere, "..", "..")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="the build folder")
    parser.add_argument("--set", choices=sorted(kKills), default="check")
    parser.add_argument("--kills", type=int, help="number of kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=re.compile, help="names that match this expression")
    parser.add_argument("--launch-args", type=shlex.split, default=[], metavar="ARGS",
                        help="further arguments for dsm-launch")
    parser.add_argument("--native-only", action="store_true")
    return parser.parse_args(argv)


def all_tests(places, opts):
    """(name, function that raises Problem) of the chosen set, in order."""
    if opts.native_only:
        yield from terminal_tests.tests(places, prefix=[])
        yield "stop-oracle", lambda: stop_tests.native_output(places)
        return
    yield from status_tests.tests(places)
    yield from terminal_tests.tests(
        places, [places.launcher, "-n", "2", "--place", "rr", *opts.launch_args, "--"])
    yield from stop_tests.tests(places, opts.launch_args)
    yield from child_tests.tests(places, opts.launch_args)
    kills = opts.kills if opts.kills is not None else kKills[opts.set]
    yield from kill_tests.tests(places, kills, opts.seed, opts.launch_args)


def main(argv):
    opts = options(argv)
    places = fault_job.Places(opts.build)
    results = verdicts.Verdicts()
    for program in [] if opts.native_only else [places.launcher, places.stat]:
        if not os.access(program, os.X_OK):
            print(f"{program} does not exist: build it first", file=sys.stderr)
            return 2
    for name, run in all_tests(places, opts):
        if opts.only and not opts.only.search(name):
            continue
        try:
            run()
            results.record(name)
        except fault_job.Problem as problem:
            results.record(name, problem)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
