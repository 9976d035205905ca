#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of checkpoint_cases.py, restored from a checkpoint of one node as jobs of three, with real agents: the image is changed so
that the threads are at home on different nodes (or all on one that is not the origin). Output and status are those of the native run.

usage: checkpoint_nodes.py BUILD [NAME...]
"""
import os
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))
import checkpoint_cases as cases
import job_report

NODES = 3
HEADER_BYTES, SECTION_BYTES, THREADS, ENDED = 32, 24, 2, 2   # process_image.h


def change_homes(path, home_of):
    """home_of(index) is where the image's thread number `index` is at home; 0 is the main thread."""
    with open(path, "rb") as file:
        image = bytearray(file.read())
    kind, record, offset, count = struct.unpack_from("<IIQQ", image, HEADER_BYTES + (THREADS - 1) * SECTION_BYTES)
    assert kind == THREADS
    remote = 0
    for index in range(count):
        struct.pack_into("<I", image, offset + index * record + 4, home_of(index))
        ended = struct.unpack_from("<I", image, offset + index * record + 8)[0] & ENDED
        remote += not ended and home_of(index) % NODES != 0
    with open(path, "wb") as file:
        file.write(image)
    return remote


def make_installation(build, prefix):
    """An installation that restores a checkpoint instead of starting the program."""
    os.makedirs(os.path.join(prefix, "bin"))
    os.makedirs(os.path.join(prefix, "lib/dsm"))
    shutil.copy2(os.path.join(build, "tests/restoring_launch"), os.path.join(prefix, "bin/dsm-launch"))
    for name in ("bin/dsmd", "lib/libdsm.so"):
        shutil.copy2(os.path.join(build, name), os.path.join(prefix, name))
    shutil.copy2(os.path.join(build, "tests/restoring_runtime"), os.path.join(prefix, "lib/dsm/dsm-runtime"))
    shutil.copy2(os.path.join(build, "lib/dsm/dsm-runtime"), os.path.join(prefix, "lib/dsm/dsm-runtime.real"))


def verdict(case, prefix, home_of):
    native = case.once(case.command)
    kept = case.once(case.solo + ["--keep", case.kept, "--end"] + case.runtime + case.command)
    if kept[0] != 0:
        return "no checkpoint: status %s, %s" % (kept[0], kept[2].decode(errors="replace"))
    image, out, report = os.path.join(case.kept, "process"), os.path.join(case.scratch, "out"), os.path.join(case.scratch, "report")
    expected_remote = change_homes(image, home_of)
    os.environ["DSM_TEST_CHECKPOINT"] = case.kept
    launch = [os.path.join(prefix, "bin/dsm-launch"), "-n", str(NODES), "--children=native", "--report", report, "--", "/bin/true"]
    status, errors = cases.run(launch, out)
    got = cases.content(out)
    if (status, got) != native[:2]:
        return "status %s, expected %s; %s" % (status, native[0], cases.difference(native[1], got) + errors.decode(errors="replace"))
    if errors:
        return errors.decode(errors="replace")
    remote = job_report.JobReport(report).remote_threads()
    return None if remote >= expected_remote else "%d threads ran on other nodes, expected %d" % (remote, expected_remote)


def main():
    build, wanted, failed = os.path.abspath(sys.argv[1]), sys.argv[2:], 0
    scratch = tempfile.mkdtemp(prefix="checkpoint_nodes_")
    prefix = os.path.join(scratch, "prefix")
    homes = {"everywhere": lambda index: (index + 2) % NODES, "elsewhere": lambda index: 1, "more_nodes": lambda index: index * 7 + 4}
    try:
        make_installation(build, prefix)
        for name, command in cases.programs(build, os.path.join(scratch, "own")):
            ways = ("everywhere", "elsewhere", "more_nodes") if name in ("threads", "python") else ("elsewhere",)
            for way in ways:
                label = "%s_%s" % (name, way)
                if wanted and name not in wanted and label not in wanted:
                    continue
                reason = verdict(cases.Case(build, scratch, name, command), prefix, homes[way])
                print("PASS %s" % label if reason is None else "FAIL %s %s" % (label, reason.replace("\n", " | ")), flush=True)
                failed += reason is not None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
