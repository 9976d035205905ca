#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""build-aux/deps names what is missing, installs only when told to, and is silent when nothing is missing."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

from report_case import expect, expect_equal, run_all

DEPS = Path(__file__).resolve().parents[2] / "build-aux" / "deps"
SECONDS = 60
HAVE, MISSING = "libc6", "dsm-no-such-package"


def run(folder, *arguments, apt_status=0):
    """Runs a copy of deps with sets of our own, and an apt-get that only writes down how it was called."""
    shutil.copy(DEPS, folder / "deps")
    (folder / "packages.good").write_text(f"# a comment\n{HAVE}\n")
    (folder / "packages.bad").write_text(f"{HAVE}  # present\n{MISSING}\n")
    tools = folder / "bin"
    tools.mkdir()
    log = folder / "apt.log"
    for name, body in (("apt-get", f'echo "$@" >> {log}; exit {apt_status}'), ("sudo", '"$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    done = subprocess.run([str(folder / "deps"), *arguments], capture_output=True, text=True, timeout=SECONDS,
                          env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    return done, log.read_text() if log.exists() else ""


def test_silent_when_complete(folder):
    done, apt = run(folder, "install", "good")
    expect_equal((done.returncode, done.stdout, done.stderr, apt), (0, "", "", ""), "status, output and calls of apt-get")


def test_need_names_and_installs_nothing(folder):
    done, apt = run(folder, "need", "good", "bad")
    expect_equal((done.returncode, apt), (1, ""), "status and calls of apt-get")
    expect(MISSING in done.stderr, f"{MISSING} is not named: {done.stderr}")
    expect(f"  {HAVE}\n" not in done.stderr, f"{HAVE} is named, but it is installed")


def test_install_lists_and_installs_what_is_missing(folder):
    done, apt = run(folder, "install", "bad")
    expect_equal(done.returncode, 0, "status")
    expect(MISSING in done.stderr, "what will be installed is not listed")
    call = [line for line in apt.splitlines() if "install" in line.split()]
    expect_equal(len(call), 1, "calls of apt-get install")
    expect(call[0].split()[-1] == MISSING and HAVE not in call[0].split(), f"apt-get was called with: {call[0]}")


def test_failed_installation_is_a_failure(folder):
    done, _ = run(folder, "install", "bad", apt_status=100)
    expect(done.returncode != 0, "a failed apt-get went unnoticed")


def test_lists_of_the_tree_are_installable_names(folder):
    packages = subprocess.run([str(DEPS), "list", "build", "test"], capture_output=True, text=True, timeout=SECONDS, check=True)
    names = packages.stdout.split()
    expect(len(names) > 10 and len(names) == len(set(names)), "the lists are short or repeat names")
    missing = subprocess.run([str(DEPS), "need", "build", "test"], capture_output=True, text=True, timeout=SECONDS)
    expect_equal(missing.returncode, 0, f"make check ran although packages are missing ({missing.stderr.strip()})")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
