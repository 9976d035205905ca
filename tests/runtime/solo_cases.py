#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs under the runtime on one node. Each runs natively first: that run is the oracle for stdout and exit status.

usage: solo_cases.py BUILD      (BUILD holds tests/runtime_solo, lib/dsm/dsm-runtime and the test programs)
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

DEADLINE_S = 60

THREADS = """
import threading
results = []
def work(i):
    s = 0
    for k in range(20000):
        s += k * i
    results.append(s)
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(results))
"""
FORK = """
import os, subprocess
print(subprocess.run(['echo', 'child process'], capture_output=True).stdout)
pid = os.fork()
if pid == 0:
    os._exit(3)
print(os.waitpid(pid, 0)[1] >> 8)
"""
EXEC_FROM_THREAD = """
import os, threading, time
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
threading.Thread(target=lambda: os.execv('/bin/sh', ['sh', '-c', 'echo replaced; exit 9'])).start()
time.sleep(30)
"""
EXEC_KEEPS = """
import os, signal
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.set_inheritable(2, True)
fd = os.open('/dev/null', os.O_RDONLY)
os.set_inheritable(fd, True)
os.execve('/bin/sh', ['sh', '-c', 'grep -E "SigIgn|SigBlk" /proc/self/status; echo $MARK; test -e /proc/self/fd/%d && echo inherited' % fd],
          {'MARK': 'kept', 'PATH': os.environ['PATH']})
"""


def programs(build, folder):
    """Name and command; a relative program is looked up in PATH."""
    text = os.path.join(folder, "text")
    with open(text, "w") as f:
        for i in range(60000):
            f.write("%d\n" % (i * 7919 % 60000))
    script = os.path.join(folder, "script.sh")
    with open(script, "w") as f:
        f.write('#!/bin/sh -e\necho "$0" "$@"\nexit 5\n')
    nested = os.path.join(folder, "nested")
    with open(nested, "w") as f:
        f.write("#!%s one\n" % script)
    not_program = os.path.join(folder, "plain")
    with open(not_program, "w") as f:
        f.write("text\n")
    for path in (script, nested):
        os.chmod(path, 0o755)
    tests = os.path.join(build, "tests")
    yield "true", ["/bin/true"]
    yield "false", ["/bin/false"]
    yield "shell_status", ["/bin/sh", "-c", "exit 7"]
    yield "shell_pipe", ["/bin/sh", "-c", "for i in 1 2 3; do echo $i | cat; done; echo $(ls / | wc -l)"]
    yield "shell_exec", ["/bin/sh", "-c", "exec ls -d /tmp"]
    yield "shell_killed", ["/bin/sh", "-c", "kill -TERM $$"]
    yield "env_exec", ["/usr/bin/env", "A=1", "sh", "-c", "echo $A"]
    yield "script", [script, "a", "b c"]
    yield "script_of_script", [nested, "two"]
    yield "missing", [os.path.join(folder, "missing")]
    yield "not_executable", [not_program]
    yield "folder", [folder]
    yield "static", [os.path.join(tests, "static_program"), "x"]
    yield "static_pie", [os.path.join(tests, "static_pie_program"), "x"]
    yield "fixed_address", [os.path.join(tests, "fixed_address_program"), "x"]
    for kind in ("", "--parallel=4"):
        yield "sort" + kind, ["/usr/bin/sort", "-n"] + ([kind] if kind else []) + [text]
    yield "pigz", ["/usr/bin/pigz", "-c", "-n", text]
    yield "python_threads", ["/usr/bin/python3", "-c", THREADS]
    yield "python_fork", ["/usr/bin/python3", "-c", FORK]
    yield "python_exec_thread", ["/usr/bin/python3", "-c", EXEC_FROM_THREAD]
    yield "python_exec_keeps", ["/usr/bin/python3", "-c", EXEC_KEEPS]
    yield "file_family", [os.path.join(tests, "file_family")]
    for seed in ("1", "2", "3"):
        yield "address_ops_" + seed, [os.path.join(tests, "address_ops"), seed, "300"]


def run(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        return "deadline", b"", b""
    except FileNotFoundError:
        return 127, b"", b""
    except PermissionError:
        return 126, b"", b""
    status = 128 - done.returncode if done.returncode < 0 else done.returncode
    return status, done.stdout, done.stderr


def main():
    build = os.path.abspath(sys.argv[1])
    solo = [os.path.join(build, "tests/runtime_solo"), os.path.join(build, "lib/dsm/dsm-runtime")]
    failed = 0
    folder = tempfile.mkdtemp(prefix="solo_cases_")
    try:
        for name, command in programs(build, folder):
            if command[0].startswith("/usr/bin/") and not os.path.exists(command[0]):
                print("SKIP solo_%s %s is not installed" % (name, command[0]), flush=True)
                continue
            expected, expected_out, _ = run(command)
            status, out, err = run(solo + command)
            if status == expected and out == expected_out:
                print("PASS solo_" + name, flush=True)
                continue
            failed += 1
            what = "status %s instead of %s" % (status, expected) if status != expected else "another output"
            print("FAIL solo_%s %s: %s" % (name, what, err.decode(errors="replace").strip()[-300:].replace("\n", " | ")), flush=True)
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
