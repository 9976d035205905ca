#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: measures dsm beside the limits of this machine, prints a table and writes BUILD/bench.json.

  run.py --build build [--only REGEX] [--rounds N]

Medians over the rounds; the two agents poll (--poll always) unless the measure says otherwise. A measure that misses its target
is marked and does not fail the run; one that cannot be taken does.
"""

import argparse
import json
import os
import re
import statistics
import sys
from pathlib import Path

from bench_job import Bench, BenchError
from measures import MEASURES

SCHEMA = "dsm-bench/1"
ROW = "{:<22} {:>10} {:<8} {:>10}  {:>7}  {:<7} {}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--only", default=".", help="measures whose name matches")
    parser.add_argument("--rounds", type=int, help="of each measure, instead of its own number")
    arguments = parser.parse_args()
    bench = Bench(arguments.build)
    chosen = [m for m in MEASURES if re.search(arguments.only, m.name)]

    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start; n = {bench.nodes}; * = agents not polling")
    print(ROW.format("", "value", "unit", "limit", "ratio", "target", ""))
    results, failures = [], 0
    for measure in chosen:
        bench.poll = "always" if measure.polling else "auto"
        try:
            samples = [measure.take(bench) for _ in range(arguments.rounds or measure.rounds)]
        except BenchError as error:
            failures += 1
            print(f"FAIL {measure.name} {error}", flush=True)
            continue
        results.append(result_of(measure, samples))
        print(table_row(measure, results[-1]), flush=True)
    path = arguments.build / "bench.json"
    path.write_text(json.dumps({"schema": SCHEMA, "results": results}, indent=1) + "\n")
    if failures == 0:
        print(f"PASS bench {len(results)} measures, {sum(r['met'] for r in results)} meet their target, in {path}")
    return 1 if failures else 0


def result_of(measure, samples):
    ratio = statistics.median(s.ratio for s in samples)
    return {
        "name": measure.name,
        "value": round(statistics.median(s.value for s in samples), 3),
        "unit": measure.unit,
        "limit": round(statistics.median(s.limit for s in samples), 3),
        "ratio": round(ratio, 3),
        "better": measure.better,
        "target": measure.target,
        "met": measure.met(ratio) or all(s.excused for s in samples),
        "limit_is": measure.limit_is,
        "polling": measure.polling,
        "rounds": len(samples),
        "note": samples[-1].note,
    }


def table_row(measure, result):
    target = ("<= " if measure.better == "lower" else ">= ") + f"{measure.target:g}"
    remarks = "; ".join(text for text in (measure.limit_is, result["note"]) if text)
    if not result["met"]:
        remarks = "MISSED; " + remarks
    return ROW.format(measure.name + ("" if measure.polling else " *"), f"{result['value']:.2f}", measure.unit, f"{result['limit']:.2f}",
                      f"{result['ratio']:.2f}", target, remarks)


if __name__ == "__main__":
    sys.exit(main())
