#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make install puts everything below DESTDIR, and make uninstall takes exactly that away.

The arguments are those of the make that runs us (O=, CC= and so on), so that nothing is built again.
"""
import os
import stat
import subprocess
import sys

from report_case import Skip, expect, expect_equal, run_all

SECONDS = 300
RUN_SECONDS = 60

# Nobody's ids, so that the user has no right but the group's.
USER_ID, GROUP_ID = 64998, 64999
USERFAULTFD = "/dev/userfaultfd"
make_arguments = sys.argv[1:]


def make(target, folder, *more):
    run = subprocess.run(["make", *make_arguments, target, f"DESTDIR={folder}", *more], capture_output=True, text=True,
                         timeout=SECONDS)
    expect(run.returncode == 0, f"make {target} failed: {run.stderr.strip()[-300:]}")


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_install_and_uninstall(folder):
    make("install", folder)
    found = files_below(folder)
    for name in ("bin/dsm-launch", "bin/dsm-stat", "bin/dsmd", "lib/dsm/dsm-runtime", "lib/libdsm.so", "include/dsm/dsm.h",
                 "share/man/man1/dsm-launch.1", "share/doc/dsm/README.md", "share/doc/dsm/LICENSE"):
        expect(f"usr/local/{name}" in found, f"{name} was not installed")
    expect("etc/udev/rules.d/70-dsm.rules" in found, "no udev rule")
    expect("etc/sysusers.d/dsm.conf" in found, "no group")
    make("uninstall", folder)
    expect_equal(files_below(folder), set(), "files that stayed after uninstall")


def test_prefix_of_a_distribution(folder):
    make("install", folder, "PREFIX=/usr")
    found = files_below(folder)
    expect("usr/bin/dsm-launch" in found, "no usr/bin/dsm-launch")
    expect("usr/lib/udev/rules.d/70-dsm.rules" in found, "no udev rule below usr/lib")
    expect("usr/lib/sysusers.d/dsm.conf" in found, "no group below usr/lib")


def test_installed_launcher_runs(folder):
    make("install", folder)
    run = subprocess.run([folder / "usr/local/bin/dsm-launch", "-n", "2", "--", "/bin/echo", "moved"], capture_output=True,
                         text=True, timeout=RUN_SECONDS)
    expect_equal((run.returncode, run.stdout), (0, "moved\n"), f"status and output ({run.stderr.strip()})")


def test_ordinary_user_of_the_group(folder):
    """As the udev rule has it: /dev/userfaultfd is the group's, and the user has no capability at all."""
    if os.geteuid() != 0 or not os.path.exists(USERFAULTFD):
        raise Skip(f"needs root, to become somebody else, and {USERFAULTFD}")
    make("install", folder)
    node = folder / "userfaultfd"
    try:
        os.mknod(node, stat.S_IFCHR | 0o660, os.stat(USERFAULTFD).st_rdev)
    except PermissionError as error:
        raise Skip(f"cannot make a device node: {error}") from None
    os.chmod(node, 0o660)
    os.chown(node, 0, GROUP_ID)
    os.chmod(folder, 0o755)
    # A mount namespace of its own, so that the machine's device keeps its owner.
    command = ["unshare", "--mount", "--", "sh", "-c", f'mount --bind {node} {USERFAULTFD} && exec "$@"', "sh",
               "setpriv", f"--reuid={USER_ID}", f"--regid={GROUP_ID}", "--clear-groups", "--no-new-privs",
               "--bounding-set=-all", "--inh-caps=-all", "env", f"HOME={folder}", "XDG_RUNTIME_DIR=",
               str(folder / "usr/local/bin/dsm-launch"), "-n", "2", "--place", "node:1", "--", "/usr/bin/python3", "-I", "-c",
               "import threading, os; t = threading.Thread(target=lambda: print('thread of', os.getuid())); t.start(); t.join()"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, cwd="/")
    if run.returncode == 1 and "unshare" in run.stderr:
        raise Skip(f"no mount namespace here: {run.stderr.strip()}")
    expect_equal((run.returncode, run.stdout), (0, f"thread of {USER_ID}\n"), f"status and output ({run.stderr.strip()})")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
