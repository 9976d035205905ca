#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A change rebuilds what depends on it, and nothing else: a throwaway tree that uses our rules.mk."""
import os
import subprocess
import sys
from pathlib import Path

from report_case import expect, expect_equal, run_all

RULES = Path(__file__).resolve().parents[2] / "build-aux" / "rules.mk"
SECONDS = 60

MAKEFILE = f"""
.DEFAULT_GOAL := all
.SECONDEXPANSION:
.DELETE_ON_ERROR:
include {RULES}
include lib/build.mk app/build.mk
all: $(LIBRARIES) $(PROGRAMS) $(TEST_TOOLS)
-include $(DEPS)
"""

FILES = {
    "Makefile": MAKEFILE,
    "lib/build.mk": "$(eval $(call library,one,lib/a.cc lib/b.cc))\n",
    "lib/a.h": "#pragma once\nint a();\n",
    "lib/a.cc": '#include "lib/a.h"\nint a() { return 1; }\n',
    "lib/b.cc": "int b() { return 2; }\n",
    "app/build.mk": "$(eval $(call program,prog,app/main.cc,one))\n$(eval $(call tool,plain,app/plain.c))\n",
    "app/main.cc": '#include "lib/a.h"\nint main() { return a() - 1; }\n',
    "app/plain.c": "int main(void) { return 0; }\n",
}
EVERYTHING = {"CXX lib/a.cc", "CXX lib/b.cc", "CXX app/main.cc", "CC app/plain.c", "AR build/lib/libone.a",
              "LINK build/bin/prog", "LINK build/tests/plain"}


def make_tree(folder):
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def run_make(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SAN", "O", "OPT")}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)


def make(folder, *arguments):
    """Runs make and returns the set of steps that it announced."""
    run = run_make(folder, *arguments)
    expect(run.returncode == 0, f"make {' '.join(arguments)} failed: {run.stderr.strip()[-300:]}")
    return {" ".join(line.split()) for line in run.stdout.splitlines() if line.startswith("  ")}


def change(path, old, new):
    """Writes a file so that it is newer than what was built from it, on any clock."""
    text = path.read_text()
    expect(old in text, f"{path} does not contain {old!r}")
    path.write_text(text.replace(old, new))
    newest = max(p.stat().st_mtime_ns for p in path.parents[1].rglob("*")) + 10_000_000
    os.utime(path, ns=(newest, newest))


def test_builds_all_then_nothing(folder):
    make_tree(folder)
    expect_equal(make(folder), EVERYTHING, "first make")
    expect_equal(make(folder), set(), "second make")
    expect_equal(subprocess.run([folder / "build/bin/prog"]).returncode, 0, "the program's status")


def test_header_rebuilds_its_dependents(folder):
    make_tree(folder)
    make(folder)
    change(folder / "lib/a.h", "int a();", "int a(); int c();")
    expect_equal(make(folder), {"CXX lib/a.cc", "CXX app/main.cc", "AR build/lib/libone.a", "LINK build/bin/prog"},
                 "after a header changed")


def test_common_flag_rebuilds_all_once(folder):
    make_tree(folder)
    make(folder)
    expect_equal(make(folder, "OPT=-O1"), EVERYTHING, "with another -O")
    expect_equal(make(folder, "OPT=-O1"), set(), "again with it")


def test_language_flag_leaves_the_other_language(folder):
    make_tree(folder)
    make(folder)
    steps = make(folder, "CFLAGS=-std=c11 -O0")
    expect_equal(steps, {"CC app/plain.c", "LINK build/tests/plain"}, "with other C flags")


def test_folder_flag_stays_in_its_folder(folder):
    make_tree(folder)
    make(folder)
    change(folder / "lib/build.mk", "$(eval", "CPPFLAGS_lib := -DX=1\n$(eval")
    expect_equal(make(folder), {"CXX lib/a.cc", "CXX lib/b.cc", "AR build/lib/libone.a", "LINK build/bin/prog"},
                 "after a folder's flag changed")


def test_file_flag_stays_with_its_file(folder):
    make_tree(folder)
    make(folder)
    change(folder / "lib/build.mk", "$(eval", "FLAGS_lib_b := -DX=1\n$(eval")
    expect_equal(make(folder), {"CXX lib/b.cc", "AR build/lib/libone.a", "LINK build/bin/prog"}, "after a file's flag changed")


def test_removed_source_leaves_the_archive(folder):
    make_tree(folder)
    make(folder)
    change(folder / "lib/build.mk", " lib/b.cc", "")
    expect_equal(make(folder), {"AR build/lib/libone.a", "LINK build/bin/prog"}, "after a source left")
    members = subprocess.run(["ar", "t", folder / "build/lib/libone.a"], capture_output=True, text=True).stdout.split()
    expect_equal(members, ["a.o"], "members of the archive")


def test_link_flag_relinks_only(folder):
    make_tree(folder)
    make(folder)
    change(folder / "app/build.mk", "app/main.cc,one)", "app/main.cc,one,-lm)")
    expect_equal(make(folder), {"LINK build/bin/prog"}, "after a linker argument changed")


def test_failed_compile_is_tried_again(folder):
    make_tree(folder)
    make(folder)
    expect(run_make(folder, "OPT=-fno-such-option").returncode != 0, "an impossible option was accepted")
    expect(run_make(folder, "OPT=-fno-such-option").returncode != 0, "what could not be compiled was taken as built")


def test_configurations_live_side_by_side(folder):
    make_tree(folder)
    make(folder)
    make(folder, "O=other", "SAN=undefined")
    expect_equal(make(folder), set(), "the first configuration, after the second was built")


def test_deleted_header_is_no_obstacle(folder):
    make_tree(folder)
    make(folder)
    change(folder / "lib/a.cc", '#include "lib/a.h"\n', "")
    change(folder / "app/main.cc", '#include "lib/a.h"', "int a();")
    (folder / "lib/a.h").unlink()
    expect("CXX lib/a.cc" in make(folder), "a.cc was not rebuilt after its header went away")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
