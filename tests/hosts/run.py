#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs over four hosts (host_cluster.py), as an ordinary user: programs give the bytes that they give
alone, what cannot start says why in one line, and nothing is left anywhere when something breaks.

  run.py --set check     the short form
  run.py --set soak      more programs, every break on every host
  run.py --only 'cut|sshd'

Prints PASS, FAIL or SKIP lines.
"""

import argparse
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
kHere = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(kHere, "..", "harness"))

import break_cases  # noqa: E402
import host_cluster  # noqa: E402
import program_cases  # noqa: E402
import slurm_cases  # noqa: E402
import slurm_cluster  # noqa: E402
import start_cases  # noqa: E402
import verdicts  # noqa: E402
from host_job import Problem  # noqa: E402

kHosts = 4


def options(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(kHere, "..", "..", "build"), help="the build folder")
    parser.add_argument("--set", choices=("check", "soak"), default="check")
    parser.add_argument("--only", type=re.compile, help="names that match this expression")
    return parser.parse_args(argv)


def run_all(cluster, opts, results):
    for module in (program_cases, start_cases, break_cases):
        run_chosen(module, cluster, opts, results)
    reason = slurm_cluster.why_not()
    if reason:
        print(f"SKIP hosts-slurm {reason}")
    elif any(not opts.only or opts.only.search(name) for name, _ in slurm_cases.tests(cluster, opts)):
        slurm_cluster.start(cluster)
        run_chosen(slurm_cases, cluster, opts, results)


def run_chosen(module, cluster, opts, results):
    for name, test in module.tests(cluster, opts):
        if opts.only and not opts.only.search(name):
            continue
        try:
            results.record(name, None, test())
        except Problem as problem:
            results.record(name, problem)
        finally:
            cluster.kill_jobs()


def main(argv):
    opts = options(argv)
    reason = host_cluster.why_not()
    if reason:
        print(f"SKIP hosts {reason}")
        return 77
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))  # leaves through the cluster's end
    results = verdicts.Verdicts()
    with host_cluster.Cluster(opts.build, kHosts) as cluster:
        run_all(cluster, opts, results)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
