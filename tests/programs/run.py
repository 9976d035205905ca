#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Program tests: each program once natively, which is the oracle, then distributed.

Standard output (normalised where a program prints times), output files and exit status must be
equal byte for byte; the job's report must show remote threads and moved pages; nothing may be left
behind; and no run may take longer than 60 times the native one.

  run.py --set check               each program at 2 nodes, five also at 4
  run.py --set soak                each 10 times at 2 and 10 times at 4 nodes
  run.py --only 'pigz|sort' -n 4 --repeat 3 --launch-args '--lease off'
  run.py --native-only             natively twice: are the oracles themselves repeatable?

Prints PASS or FAIL lines. The folder of a failed run (inputs, stdout, stderr, report.json) stays in
<build>/logs/programs/<case>/; that of a good run is removed.
"""

import argparse
import os
import re
import shlex
import shutil
import sys

sys.dont_write_bytecode = True

import case_run  # noqa: E402
import kernel_cases  # noqa: E402
import language_cases  # noqa: E402
import stress_cases  # noqa: E402
import third_party_cases  # noqa: E402
import tool_cases  # noqa: E402
import verdicts  # noqa: E402

kCases = (third_party_cases.kCases + kernel_cases.kCases + language_cases.kCases + tool_cases.kCases +
          stress_cases.kCases)
kNativeDeadline = 60
kSoakRepeats = 10


def options(argv):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="the build folder")
    parser.add_argument("--set", choices=("check", "soak"), default="check")
    parser.add_argument("--only", type=re.compile, help="names that match this expression")
    parser.add_argument("-n", "--nodes", type=int, help="only at this number of nodes")
    parser.add_argument("--repeat", type=int, help="distributed runs of each case")
    parser.add_argument("--launch-args", type=shlex.split, default=[], metavar="ARGS",
                        help="further arguments for dsm-launch")
    parser.add_argument("--max-deadline", type=float, default=150,
                        help="no run waits longer than this many seconds")
    parser.add_argument("--least-moves", type=int, default=0,
                        help="threads must have moved so often, and %d times a second, in runs of %d s and more"
                        % (case_run.kLeastMovesPerSecond, case_run.kSecondsToCountMoves))
    parser.add_argument("--native-only", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    return parser.parse_args(argv)


def node_counts(case, opts):
    if opts.nodes:
        return [opts.nodes]
    return [2, 4] if opts.set == "soak" or case.at_four else [2]


def run_natively(runner, case, results):
    """The oracle, or None when there is none, which is recorded as a failure."""
    program = case.argv[0]
    if program.startswith("/") and not os.access(program, os.X_OK):
        results.record(case.name, f"{program} is not installed")
        return None
    try:
        native = runner.run(case, "native", deadline=kNativeDeadline)
    except RuntimeError as error:   # a program that must be built first
        results.record(case.name, str(error))
        return None
    problem = case_run.native_problem(case, native)
    if problem:
        results.record(case.name, problem)
        return None
    return native


def compare_native(runner, case, native, results):
    again = runner.run(case, "native-again", deadline=kNativeDeadline)
    problem = case_run.difference(case, native, again)
    results.record(f"{case.name}-native", problem, f"{native.seconds:.2f} and {again.seconds:.2f} s")
    if not problem:
        shutil.rmtree(again.folder)


def compare_distributed(runner, case, native, nodes, label, opts, results):
    prefix = [runner.launcher, "-n", str(nodes), "--place", "rr", "--report", "{run}/report.json",
              *opts.launch_args, "--"]
    deadline = min(opts.max_deadline,
                   case_run.kSlowdownLimit * native.seconds + case_run.kStartupSeconds)
    if opts.least_moves:   # every move loses what the thread had at hand: how slow that makes it is not the question
        deadline = opts.max_deadline
    run = runner.run(case, label, prefix, deadline)
    problem, note = case_run.difference(case, native, run), None
    if not problem:
        problem, note = case_run.distribution_problem(
            case, native, run, nodes, os.path.join(run.folder, "report.json"), opts.least_moves)
    results.record(f"{case.name}-{label}", f"{problem} [{run.folder}]" if problem else None, note)
    if not problem:
        shutil.rmtree(run.folder)


def run_case(runner, case, opts, results):
    native = run_natively(runner, case, results)
    if native is None:
        return
    if opts.native_only:
        compare_native(runner, case, native, results)
        return
    repeats = opts.repeat or (kSoakRepeats if opts.set == "soak" else 1)
    for nodes in node_counts(case, opts):
        for turn in range(1, repeats + 1):
            label = f"n{nodes}" if repeats == 1 else f"n{nodes}-run{turn}"
            compare_distributed(runner, case, native, nodes, label, opts, results)


def main(argv):
    opts = options(argv)
    chosen = [case for case in kCases if not opts.only or opts.only.search(case.name)]
    if opts.list:
        print("\n".join(case.name for case in chosen))
        return 0
    runner = case_run.Runner(opts.build, opts.set == "soak")
    results = verdicts.Verdicts()
    if not opts.native_only and not os.access(runner.launcher, os.X_OK):
        print(f"{runner.launcher} does not exist: build it first", file=sys.stderr)
        return 2
    for case in chosen:
        run_case(runner, case, opts, results)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
