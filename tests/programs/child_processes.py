#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Children of the job's first process: what they see and print is what they do natively, and those that create threads are
distributed (--children). The native run is the oracle; the report says what ran where.

usage: child_processes.py BUILD [NAME...]
"""

import json
import os
import stat
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))

import verdicts  # noqa: E402

kSeconds = 120
kInputBytes = 3_000_000

kShowSelf = """#!/usr/bin/env python3
import os, resource, signal, sys
print(sys.argv, os.readlink("/proc/self/exe"), open("/proc/self/comm").read().strip())
print(sorted(os.environ.items()), os.getcwd(), os.getpid() == int(os.readlink("/proc/self")))
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4], resource.getrlimit(resource.RLIMIT_NOFILE))
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN, signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(any("dsm" in line for line in open("/proc/self/maps")))
"""
kSpawn = """#!/usr/bin/env python3
import os, subprocess, sys
def status(*command): return subprocess.run(command, stdout=sys.stdout).returncode
print(status("sh", "-c", "exit 3"), status("false"), status("sh", "-c", "kill -9 $$"), flush=True)
for missing in ("/nonexistent/program", "./data", "."):
    try: status(missing)
    except OSError as error: print(missing, error.errno)
for _ in range(3):
    pid = os.posix_spawn("/bin/echo", ["other name", "spawned"], {"A": "b"}, setsigmask=[], setsigdef=range(1, 32))
    print(os.waitpid(pid, 0)[1], flush=True)
many = ["x" * 10] * 3000
print(len(subprocess.run(["/bin/echo", *many], stdout=subprocess.PIPE).stdout))
print(subprocess.check_output("./threads; sleep 0 & wait; echo $?", shell=True))
print(subprocess.check_output(["./threads"], start_new_session=True))
print(os.popen("cat data | wc -c").read(), os.system("exit 7"))
"""
kForks = """#!/usr/bin/env python3
import multiprocessing, os, sys, threading
def square(x): return x * x
def in_thread(do):
    results = []
    thread = threading.Thread(target=lambda: results.append(do()))
    thread.start(); thread.join()
    return results[0]
if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool: print(pool.map(square, range(50)))
    if (pid := os.fork()) == 0:
        print("thread of a forked child", in_thread(lambda: 6 * 7), flush=True)
        os._exit(9)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    if (pid := os.fork()) == 0: os.execv("./threads", ["threads"])
    print(os.waitpid(pid, 0)[1], in_thread(lambda: os.system("./threads")))
"""
kThreads = """#!/usr/bin/env python3
import threading
done = []
threads = [threading.Thread(target=lambda i=i: done.append(sum(range(i * 10000)))) for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(done))
"""
kProgram = '#include "part.h"\nint main(void) { return twice(21) != 42; }\n'


def write_file(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


def make_folder(folder):
    for name, text in (("show", kShowSelf), ("spawn", kSpawn), ("forks", kForks), ("threads", kThreads)):
        write_file(folder, name, text, 0o755)
    write_file(folder, "data", bytes(i * i % 251 for i in range(kInputBytes // 10)) * 10)
    write_file(folder, "part.h", "static inline int twice(int x) { return 2 * x; }\n")
    write_file(folder, "main.c", kProgram)
    with open("/usr/bin/id", "rb") as file:
        other = write_file(folder, "other_id", file.read())
    if os.geteuid() == 0:
        os.chown(other, 65534, 65534)
    os.chmod(other, 0o755 | stat.S_ISUID)
    os.chmod(folder, 0o755)


class Case:
    def __init__(self, name, command, nodes=2, children="auto", remote=0, options=()):
        self.name = name
        self.command = command
        self.nodes = nodes
        self.children = children
        self.remote = remote          # how many children must have had remote threads; None: does not matter
        self.options = list(options)


def shell(text):
    return ["/bin/sh", "-c", text]


def all_cases(build):
    subject = os.path.join(build, "tests", "subjects", "%s")
    yield Case("pipeline", shell("pigz -c data | cat"), remote=1)
    yield Case("pipeline_of_4", shell("pigz -c data | cat"), nodes=4, remote=1)
    yield Case("bash", ["bash", "-c", "set -o pipefail; (pigz -c data | pigz -dc | cksum); x=$(echo a | tr a b); echo $x ${PIPESTATUS[0]}"],
               remote=1)
    yield Case("native", shell("pigz -c data | cat; ./show x"), children="native")
    yield Case("one_after_the_other", shell("for i in 1 2 3; do pigz -c data | cksum; done"), remote=3)
    yield Case("one_at_a_time", shell("pigz -c data > a & pigz -c data > b; wait; cksum a b"), remote=None)
    yield Case("two_at_a_time", shell("pigz -9 -c data > a & pigz -9 -c data > b; wait; cksum a b"), children="distribute", remote=2)
    yield Case("no_threads", shell("seq 100 | sort -rn | head -3; exit 4"))
    yield Case("what_it_sees", shell("trap '' INT; ./show 'a b' ''; exec 7<data; ulimit -Sn 200; ./show; cd /; exec $OLDPWD/show"))
    yield Case("spawned", ["python3", "spawn"], remote=None)
    yield Case("forked", ["python3", "forks"], remote=None)
    yield Case("compiler", shell("gcc -O1 -c main.c && gcc -o main main.o && ./main; echo $?; gcc broken.c; echo $?"))
    yield Case("set_user_id", shell("./other_id -u; ./other_id -un"))
    yield Case("limited_memory", shell("ulimit -v 3000000; pigz -c data | cksum"))
    yield Case("limited_files", shell("(ulimit -f 100; pigz -c data | cksum); ulimit -Hn 300; pigz -c data | cksum"), remote=1)
    yield Case("threads_after_fork_only", shell("./threads; (./threads; ./threads)"), remote=3)
    yield Case("executes_itself", shell(subject % "exec_self" + "; echo $?"), remote=None)
    for name in ("join_memory", "plain_threads", "plain_static", "plain_static_pie", "plain_no_pie", "thread_locals", "special_mutexes",
                 "malloc_pass"):
        yield Case(name, shell(subject % name + "; echo $?"), remote=1)
    yield Case("killed", shell("pigz -11 -c data data data > c & P=$!; sleep 1; kill -9 $P; wait $P; echo $?"), remote=None)
    yield Case("background", shell("(./threads; sleep 1; ./threads > late) & exit 3"), remote=None)
    yield Case("nested_job", shell("%s/bin/dsm-launch -n 2 -- ./threads 2>&1" % build), remote=None)


def run(command, folder, variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DSM_") and name != "LD_PRELOAD"}
    environment.update(variables)
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=kSeconds,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def report_problem(case, path):
    with open(path) as file:
        jobs = json.load(file)["jobs"]
    if jobs[0].get("children") != case.children or any("child_of" not in job for job in jobs[1:]):
        return f"the report's jobs are {[(job.get('program'), job.get('child_of')) for job in jobs]}"
    if case.remote is None:
        return None
    remote = sum(job["remote_threads"] > 0 for job in jobs[1:])
    return None if remote == case.remote else f"{remote} children had remote threads, not {case.remote}"


def check(case, build, folder):
    report = os.path.join(folder, "report.json")
    launch = [build + "/bin/dsm-launch", "-n", str(case.nodes), "--children", case.children, "--report", report, *case.options, "--"]
    variables = {"LC_ALL": "C"}
    native = run(case.command, folder, variables)
    distributed = run(launch + case.command, folder, variables)
    if native[:2] != distributed[:2]:
        return f"natively {native[0]} {native[1][-300:]}, distributed {distributed[0]} {distributed[1][-300:]} {distributed[2][-300:]}"
    return report_problem(case, report)


def check_said(build, folder):
    """Whose threads all stayed at home is told so."""
    _, _, errors = run([build + "/bin/dsm-launch", "-n", "2", "-v", "--children", "auto", "--", "sh", "-c", "true"], folder, {})
    return None if b"no thread ran away from the origin" in errors else f"-v says {errors}"


def main(argv):
    build = os.path.abspath(argv[1])
    chosen = argv[2:]
    results = verdicts.Verdicts()
    with tempfile.TemporaryDirectory(prefix="dsm-children-") as folder:
        make_folder(folder)
        for case in all_cases(build):
            if chosen and case.name not in chosen:
                continue
            try:
                problem = check(case, build, folder)
            except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                problem = f"{type(error).__name__}: {error}"
            results.record("child_processes/" + case.name, problem)
        if not chosen:
            results.record("child_processes/says_that_nothing_was_remote", check_said(build, folder))
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
