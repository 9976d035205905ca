#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each house rule of build-aux/lint finds its violation, and a clean tree has none."""
import subprocess
import sys
from pathlib import Path

from report_case import expect, expect_equal, run_all

LINT = Path(__file__).resolve().parents[2] / "build-aux" / "lint"
SECONDS = 60

TABLE = """
| layer | folder | may include | what it is |
|---|---|---|---|
| base | `libdsm/base` | nothing | |
| os | `libdsm/os` | all below | |
| pagedir | `pagedir` | base | |
| agent | `libdsm/agent` | all below | |
| runtime | `libdsm/runtime` | nothing | |
"""
CLEAN = {
    "libdsm/README.md": TABLE,
    "libdsm/base/check.h": "#pragma once\n",
    "libdsm/os/memfd.cc": '#include <sys/mman.h>\n#include "libdsm/base/check.h"\nint x() { return memfd_create("", 0); }\n',
    "libdsm/agent/loop.h": '#pragma once\n#include "libdsm/base/check.h"\n#include "libdsm/runtime/abi.h"\n#include "pagedir/shard.h"\n',
    "libdsm/runtime/abi.h": "#pragma once\n#include <stdint.h>\n",
    "libdsm/include/dsm/dsm.h": "#ifndef DSM_H\n#define DSM_H\nint dsm_node(void);\n#endif\n",
    "pagedir/include/pagedir/shard.h": '#pragma once\n#include "libdsm/base/check.h"\n',
}


def lint(folder, extra, *options):
    """Findings in the clean tree with the `extra` files added: (exit status, set of rules, text)."""
    for name, text in {**CLEAN, **extra}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=SECONDS)
    run = subprocess.run([sys.executable, str(LINT), "--root", str(folder), *options], capture_output=True, text=True,
                         timeout=SECONDS)
    expect(run.stderr == "", f"lint itself failed: {run.stderr}")
    lines = run.stdout.splitlines()[:-1]
    return run.returncode, {line[line.rindex("[") + 1:-1] for line in lines}, run.stdout


def expect_rule(folder, rule, extra, *options):
    status, rules, text = lint(folder, extra, *options)
    expect_equal(rules, {rule}, f"rules that fired ({text.strip()})")
    expect_equal(status, 1, "exit status")


def test_clean_tree_passes(folder):
    status, rules, text = lint(folder, {})
    expect_equal((status, rules), (0, set()), text)


def test_include_upward(folder):
    expect_rule(folder, "layers", {"libdsm/os/up.h": '#pragma once\n#include "libdsm/agent/loop.h"\n'})


def test_include_upward_by_relative_path(folder):
    expect_rule(folder, "layers", {"libdsm/os/up.h": '#pragma once\n#include "../agent/loop.h"\n'})


def test_include_beside_the_allowed(folder):
    expect_rule(folder, "layers", {"libdsm/os/fd.h": "#pragma once\n", "pagedir/x.cc": '#include "libdsm/os/fd.h"\n'})


def test_runtime_is_freestanding(folder):
    expect_rule(folder, "layers", {"libdsm/runtime/trap.cc": "#include <stdio.h>\n"})


def test_runtime_includes_no_core(folder):
    expect_rule(folder, "layers", {"libdsm/runtime/trap.cc": '#include "libdsm/base/check.h"\n'})


def test_runtime_internals_are_private(folder):
    expect_rule(folder, "layers", {"libdsm/runtime/frame.h": "#pragma once\n",
                                   "libdsm/os/x.cc": '#include "libdsm/runtime/frame.h"\n'})


def test_folder_outside_the_table(folder):
    expect_rule(folder, "layers", {"libdsm/misc/x.cc": "int x;\n"})


def test_same_name_twice(folder):
    expect_rule(folder, "unique-name", {"libdsm/os/check.h": "#pragma once\n"})


def test_long_file(folder):
    expect_rule(folder, "file-length", {"tools/long.cc": "int x;\n" * 801})


def test_rather_long_file_warns(folder):
    status, rules, _ = lint(folder, {"tools/long.cc": "int x;\n" * 401})
    expect_equal((status, rules), (0, {"file-length"}), "status and rules")


def test_ioctl_outside_os(folder):
    expect_rule(folder, "kernel-calls", {"libdsm/agent/x.cc": "int x(int f) { return ioctl(f, 0); }\n"})


def test_syscall_outside_os(folder):
    expect_rule(folder, "kernel-calls", {"libdsm/agent/x.cc": "long x() { return ::syscall(39); }\n"})


def test_kernel_header_outside_os(folder):
    expect_rule(folder, "kernel-calls", {"libdsm/agent/x.cc": "#include <linux/userfaultfd.h>\n"})


def test_clock_in_protocol_code(folder):
    expect_rule(folder, "pure", {"pagedir/x.cc": "#include <chrono>\n"})


def test_using_namespace_std(folder):
    expect_rule(folder, "using-std", {"tools/x.cc": "using namespace " + "std;\n"})


def test_missing_pragma_once(folder):
    expect_rule(folder, "pragma-once", {"tools/x.h": "int x();\n"})


def test_machine_path(folder):
    expect_rule(folder, "machine-path", {"docs/x.md": "see /" + "work/main for it\n"})


def test_unfinished_mark(folder):
    expect_rule(folder, "unfinished", {"tools/x.cc": "// TO" + "DO: later\n"})


def test_trailing_space(folder):
    expect_rule(folder, "trailing-space", {"tools/x.cc": "int x; \n"})


def test_broken_link(folder):
    expect_rule(folder, "doc-link", {"docs/x.md": "see [the other](y.md) and [this](x.md#part)\n"})


def test_public_header_is_c(folder):
    expect_rule(folder, "header-alone", {"libdsm/include/dsm/dsm.h": "#pragma once\nclass Node;\n"})


def test_public_header_needs_nothing_before_it(folder):
    expect_rule(folder, "header-alone", {"pagedir/include/pagedir/shard.h": "#pragma once\nstd::string name();\n"})


def test_runtime_without_libc(folder):
    source = folder.parent / (folder.name + ".c")
    program = folder.parent / (folder.name + ".out")
    try:
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-o", str(program), str(source)], check=True, timeout=SECONDS)
        expect_rule(folder, "runtime-symbols", {}, "--runtime", str(program))
    finally:
        source.unlink(missing_ok=True)
        program.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(run_all(globals()))
