#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""build-aux/run-checks counts right, whatever a check does to it."""
import subprocess
import sys
import time
from pathlib import Path

from report_case import expect, expect_equal, run_all

RUNNER = Path(__file__).resolve().parents[2] / "build-aux" / "run-checks"
SECONDS = 60


def run(folder, entries, *options):
    """(exit status, last line, whole output)"""
    (folder / "entries").write_text(entries)
    done = subprocess.run([str(RUNNER), "--entries", str(folder / "entries"), "--logs", str(folder / "logs"), *options],
                          capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, (done.stdout.splitlines() or [""])[-1], done.stdout


def expect_run(folder, entries, status, last_line, *parts):
    found_status, found_last, text = run(folder, entries)
    expect_equal((found_status, found_last), (status, last_line), "status and last line")
    for part in parts:
        expect(part in text, f"{part!r} is not in the output: {text}")


def test_counts_lines(folder):
    expect_run(folder, "a|9|echo PASS x; echo PASS y b|9|echo PASS z", 0, "3 passed, 0 failed")


def test_failure_names_its_reason(folder):
    expect_run(folder, "a|9|echo PASS x; echo FAIL y wrong bytes; exit 1", 1, "1 passed, 1 failed", "y: wrong bytes")


def test_failure_counts_even_with_status_0(folder):
    expect_run(folder, "a|9|echo FAIL y because", 1, "0 passed, 1 failed")


def test_status_counts_even_without_failure(folder):
    expect_run(folder, "a|9|echo PASS x; exit 3", 1, "1 passed, 1 failed", "exit status 3")


def test_silent_command_is_one_test(folder):
    expect_run(folder, "a|9|true b|9|exit 77", 0, "1 passed, 0 failed, 1 skipped")


def test_skip_alone_is_no_success(folder):
    expect_run(folder, "a|9|echo SKIP x no device", 1, "0 passed, 0 failed, 1 skipped", "no device")


def test_deadline(folder):
    expect_run(folder, "a|1|echo PASS x; sleep 600", 1, "1 passed, 1 failed", "not finished after 1 s")


def test_leftover_process_is_a_failure(folder):
    _, last, text = run(folder, "a|9|echo PASS x; setsid sleep 600 </dev/null >/dev/null 2>&1 &")
    expect_equal(last, "1 passed, 1 failed", "last line")
    pid = int(text.split("sleep (")[1].split(")")[0])
    expect(not Path(f"/proc/{pid}").exists(), "the leftover still runs")


def test_gtest_lines(folder):
    lines = r"[ RUN      ] A.b\n[       OK ] A.b (0 ms)\n[ RUN      ] A.c\nx.cc:3: Failure\n[  FAILED  ] A.c (2 ms)\n" \
            r"[ RUN      ] A.d\nx.cc:4: Skipped\n[  SKIPPED ] A.d (0 ms)\n[  FAILED  ] A.c\n"
    expect_run(folder, f"a|9|printf '{lines}'; exit 1", 1, "1 passed, 1 failed, 1 skipped", "A.c: x.cc:3: Failure")


def test_gtest_crash_names_the_test(folder):
    expect_run(folder, r"a|9|printf '[ RUN      ] A.b\n'; kill -9 $$", 1, "0 passed, 1 failed", "A.b: ended inside this test")


def test_only(folder):
    status, last, _ = run(folder, "alpha|9|true beta|9|false", "--only", "^al")
    expect_equal((status, last), (0, "1 passed, 0 failed"), "status and last line")


def test_only_without_a_match(folder):
    expect_equal(run(folder, "alpha|9|true", "--only", "gamma")[0], 2, "exit status")


def test_beside_runs_at_once(folder):
    """Each of the two waits for the other's file; an entry without the word waits for both."""
    meet = "touch {0}/{1}; for i in $(seq 500); do [ -e {0}/{2} ] && echo PASS {1} && exit; sleep 0.01; done; exit 1"
    expect_run(folder, f"z|9|test -e {folder}/a -a -e {folder}/b && echo PASS z "
               f"a|9 beside|{meet.format(folder, 'a', 'b')} b|9 beside|{meet.format(folder, 'b', 'a')}", 0, "3 passed, 0 failed")


def test_leftover_beside_another_names_its_own(folder):
    _, last, text = run(folder, "a|20 beside|echo PASS x; setsid sleep 600 </dev/null >/dev/null 2>&1 & b|20 beside|sleep 1; echo PASS y")
    expect_equal(last, "2 passed, 1 failed", "last line")
    expect("a: a: left 1 process(es) running: sleep" in text, text)


def test_sigterm_stops_those_beside(folder):
    mark = folder / "pid"
    (folder / "entries").write_text(f"a|60 beside|echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600")
    runner = subprocess.Popen([str(RUNNER), "--entries", str(folder / "entries"), "--logs", str(folder / "logs")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + SECONDS
    while not mark.exists():
        expect(time.monotonic() < end, "the entry did not start")
        time.sleep(0.01)
    runner.terminate()
    expect_equal(runner.wait(SECONDS), 130, "exit status")
    expect(not Path(f"/proc/{int(mark.read_text())}").exists(), "the entry still runs")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
