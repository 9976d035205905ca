# SPDX-License-Identifier: Apache-2.0
"""Exit statuses: of programs that cannot be started, of programs that end in some way, and of
options that make no sense."""

import os
import shutil
import struct
import tempfile

import fault_job
from fault_job import require

kEndSeconds = 20


def elf32_header():
    """A well-formed ELF header of a 32-bit x86 program, followed by nothing that could run."""
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0) \
        + struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 84, 84, 5, 0x1000)


def write_file(folder, name, data, mode):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def status_cases(places, folder):
    """(name, program and arguments, expected status)."""
    shutil.copyfile("/bin/true", os.path.join(folder, "closed"))
    os.chmod(os.path.join(folder, "closed"), 0o600)
    return (
        ("missing-program", [os.path.join(folder, "no_such_program")], 127),
        ("missing-on-path", ["no_such_program_on_the_path"], 127),
        ("not-executable", [os.path.join(folder, "closed")], 126),
        ("a-folder", [folder], 126),
        ("elf32", [write_file(folder, "elf32", elf32_header(), 0o755)], 126),
        ("exits-0", ["/bin/true"], 0),
        ("exits-7", [places.subject("exit_status"), "thread", "1000"], 7),
        ("shell-exits-7", ["/bin/sh", "-c", "exit 7"], 7),
        ("ends-by-signal", ["/bin/sh", "-c", "kill -SEGV $$"], 139),
    )


kBadOptions = (
    ("unknown-option", ["--no-such-option", "--", "/bin/true"]),
    ("no-nodes", ["-n", "0", "--", "/bin/true"]),
    ("nodes-no-number", ["-n", "some", "--", "/bin/true"]),
    ("unknown-place", ["--place", "nowhere", "--", "/bin/true"]),
    ("unknown-lease", ["--lease", "for-ever", "--", "/bin/true"]),
    ("no-program", ["-n", "2"]),
)


def run_one(places, name, argv, expected, prefix, must_explain):
    with fault_job.Job(places, f"status-{name}", 2, argv, prefix=prefix) as job:
        status = job.run.wait(kEndSeconds)
        require(status is not None, f"no end within {kEndSeconds} s")
        lines = job.error_lines()
        require(status == expected,
                f"exit status {status}, expected {expected}: {' / '.join(lines[:3])}")
        left = job.run.wait_for_no_process(2)
        require(not left, f"{len(left)} processes left behind")
        if must_explain:
            require(lines, "standard error says nothing")
            require("traceback" not in " ".join(lines).lower(), "standard error shows a crash")


def run_status(places, index):
    folder = tempfile.mkdtemp(prefix="dsmt-", dir="/tmp")
    try:
        name, argv, expected = status_cases(places, folder)[index]
        run_one(places, name, argv, expected, [places.launcher, "-n", "2", "--"],
                must_explain=expected in (126, 127))
    finally:
        shutil.rmtree(folder)


def tests(places):
    folder = tempfile.mkdtemp(prefix="dsmt-", dir="/tmp")
    names = [case[0] for case in status_cases(places, folder)]
    shutil.rmtree(folder)
    for index, name in enumerate(names):
        yield f"status-{name}", lambda i=index: run_status(places, i)
    # Nobody hears the line, but the status is the same.
    silent = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&-', places.launcher, "-n", "2", "--"]
    yield "status-without-stderr", lambda: run_one(
        places, "without-stderr", ["/no/such/program"], 127, silent, must_explain=False)
    for name, argv in kBadOptions:
        yield f"options-{name}", lambda n=name, a=argv: run_one(
            places, n, a, 2, [places.launcher], must_explain=True)
