#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ways in which a program is named and started. Each runs natively first: stdout and exit status must be the same.

usage: launch_forms.py BUILD
"""
import os
import subprocess
import sys
import tempfile

DEADLINE_S = 60
SHOW_ARGV = "#!/usr/bin/env python3\nimport sys\nprint(sys.argv)\n"
NO_INTERPRETER = "echo $0 $1\nexit 5\n"
THREADS = """#!/usr/bin/env python3
import os, threading
threads = [threading.Thread(target=lambda: None) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(os.environ.get("LD_PRELOAD"), os.environ.get("DSM_NODES"))
"""


def write_executable(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)


def make_folder(folder):
    os.makedirs(folder + "/real/inner")
    os.symlink("real/inner", folder + "/link")
    write_executable(folder + "/show", SHOW_ARGV)
    write_executable(folder + "/real/beside", SHOW_ARGV)
    write_executable(folder + "/plain", NO_INTERPRETER)
    write_executable(folder + "/threads", THREADS)


def run(command, folder, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "DSM_NODES")}
    environment.update(variables)
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return "nothing in %d s" % DEADLINE_S, b""
    return (done.returncode, done.stdout), done.stderr


def cases(build, folder):
    """Name, command, its environment, what stands before the command, and what is added to the environment."""
    launch = [build + "/bin/dsm-launch", "-n", "2", "--"]
    library = build + "/lib/libdsm.so"
    preload = {"LD_PRELOAD": library, "DSM_NODES": "2"}
    path = {"PATH": folder + ":" + os.environ["PATH"]}
    return (
        ("script_as_written", ["./show", "a b"], {}, launch, {}),
        ("script_in_path", ["show"], path, launch, {}),
        ("script_in_relative_path", ["show"], {"PATH": ".:" + os.environ["PATH"]}, launch, {}),
        ("behind_a_link", ["link/../beside"], {}, launch, {}),
        # subprocess itself does not do what execvp does: env does.
        ("text_for_the_shell", ["./plain", "x"], {}, launch, {}),
        ("text_in_path", ["plain", "x"], path, launch, {}),
        ("preloaded", ["./threads"], {}, [], preload),
        ("preloaded_shell", ["/bin/sh", "-c", "echo $LD_PRELOAD; ./threads | cat; exit 3"], {}, [], preload),
        # Room for the program, not for all of a node's address space.
        ("limited_address_space", ["/bin/sh", "-c", "exec ./threads"], {},
         ["/bin/sh", "-c", 'ulimit -Sv 8000000; exec "$@"', "sh"] + launch, {}),
        ("preloaded_launcher", ["./threads"], {}, launch, preload),
    )


def main():
    build = os.path.abspath(sys.argv[1])
    failures = 0
    with tempfile.TemporaryDirectory(prefix="dsm-forms-") as folder:
        make_folder(folder)
        for name, command, environment, before, added in cases(build, folder):
            native, _ = run(["/usr/bin/env"] + command, folder, **environment)
            distributed, errors = run(before + command, folder, **environment, **added)
            if native == distributed:
                print("PASS", name)
                continue
            failures += 1
            print("FAIL", name, native, "natively,", distributed, errors.decode(errors="replace")[-300:].strip())
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
