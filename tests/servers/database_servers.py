# SPDX-License-Identifier: Apache-2.0
"""mariadbd under sysbench and under sessions whose answers are known; pgbench, distributed, against a native PostgreSQL."""

import glob
import os
import pwd
import re
import subprocess
import threading
import time

import http_load
from server_run import ServerRun

kTables, kRows = 2, 1000
kClientSeconds = 120
_kEnvironment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def _run(argv, seconds=kClientSeconds, **more):
    """(exit status, output with errors)"""
    try:
        done = subprocess.run(argv, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=_kEnvironment, timeout=seconds, check=False, **more)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return None, f"no end within {seconds} s"


def _must(argv, **more):
    status, output = _run(argv, **more)
    if status != 0:
        raise RuntimeError(f"{argv[0]}: status {status}: {output.strip()[-300:]}")
    return output


class _Sessions(threading.Thread):
    """One session after the other in a table of its own; each answer is known."""

    def __init__(self, client, number, end):
        super().__init__()
        self.client, self.number, self.end = client, number, end
        self.count, self.problem = 0, None

    def one(self, turn):
        table, base = f"own{self.number}", turn * 100
        script = f"create table if not exists {table}(a int primary key, b varchar(40), key(b)) engine=innodb; "
        expected = []
        for i in range(5):
            key = base + i
            script += (f"begin; insert into {table} values({key}, md5({key})); update {table} set b = concat(b, '-') where a = {key}; "
                       f"commit; select a, length(b) from {table} where a = {key}; ")
            expected.append(f"{key}\t33")
        script += f"begin; delete from {table}; rollback; select count(*) from {table};"
        expected.append(str(5 * (turn + 1)))
        status, output = _run([*self.client, "-N", "-e", script, "own"])
        if status != 0 or output.split("\n")[:-1] != expected:
            self.problem = f"session {turn} of {table}: status {status}: {' '.join(output.split())[:200]}"

    def run(self):
        while time.monotonic() < self.end and not self.problem:
            self.one(self.count)
            self.count += 1


def _load_mariadb(client, socket, seconds):
    sysbench = ["/usr/bin/sysbench", "oltp_read_write", "--db-driver=mysql", f"--mysql-socket={socket}", "--mysql-user=root",
                f"--tables={kTables}", f"--table-size={kRows}", "--threads=4"]
    _must([*client, "-e", "create database sbtest; create database own"])
    _must([*sysbench, "prepare"])
    own = [_Sessions(client, number, time.monotonic() + seconds) for number in range(2)]
    for sessions in own:
        sessions.start()
    status, output = _run([*sysbench, f"--time={seconds}", "run"], seconds + kClientSeconds)
    for sessions in own:
        sessions.join()
    problem = next((s.problem for s in own if s.problem), None)
    counted = re.search(r"transactions: +(\d+)", output)
    if status != 0 or not counted or "FATAL" in output:
        problem = problem or f"sysbench: status {status}: {output.strip()[-200:]}"
    # An update of sysbench replaces a row or changes one: the number of rows stays.
    tables = [f"sbtest{number + 1}" for number in range(kTables)]
    for table in tables:
        rows = _must([*client, "-N", "-e", f"check table {table}; select count(*) from {table}", "sbtest"]).split("\n")
        if not rows[0].endswith("OK") or rows[1] != str(kRows):
            problem = problem or f"{table}: {rows}"
    return f"{counted.group(1) if counted else 0} transactions, {sum(s.count for s in own)} sessions in {seconds} s", problem


def mariadbd(launcher, nodes, seconds, folder):
    data, socket = os.path.join(folder, "data"), os.path.join(folder, "socket")
    user = pwd.getpwuid(os.getuid()).pw_name
    _must(["/usr/bin/mariadb-install-db", "--no-defaults", f"--user={user}", f"--datadir={data}",
           "--auth-root-authentication-method=normal", "--skip-test-db"])
    client = ["/usr/bin/mariadb", "--no-defaults", "-S", socket, "-uroot"]
    argv = ["/usr/sbin/mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", f"--socket={socket}", "--skip-networking",
            f"--pid-file={folder}/pid", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", f"--tmpdir={folder}"]
    with ServerRun(launcher, nodes, argv) as run:
        if run.started(lambda: _run([*client, "-e", "select 1"], 30)[0] == 0):
            run.note, problem = _load_mariadb(client, socket, seconds)
            run.fail(problem)
            run.stop()
        return run.problem, run.note


# Each transaction reads its own changes back; a wrong answer divides by zero, which is an error that pgbench reports.
_kVerified = """\\set a random(1, 100000 * :scale)
\\set d random(-5000, 5000)
begin;
select abalance as before from pgbench_accounts where aid = :a for update \\gset
update pgbench_accounts set abalance = abalance + :d where aid = :a;
select 1 / (case when abalance = :before + :d then 1 else 0 end) from pgbench_accounts where aid = :a;
insert into pgbench_history(tid, bid, aid, delta, mtime) values (1, 1, :a, :d, current_timestamp);
end;
"""
_kSums = ("select (select sum(abalance) from pgbench_accounts) = (select coalesce(sum(delta), 0) from pgbench_history), "
          "(select count(*) from pgbench_history)")


def pgbench(launcher, nodes, seconds, folder):
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    user = {"user": "postgres"} if os.getuid() == 0 else {}   # PostgreSQL refuses root
    if user:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    port, data = str(http_load.free_port()), os.path.join(folder, "data")
    at = ["-h", folder, "-p", port, *(["-U", "postgres"] if user else [])]
    _must([f"{programs}/initdb", "-D", data, "-A", "trust"], cwd=folder, **user)
    options = f"-p {port} -k {folder} -c listen_addresses= -c fsync=off"
    control = [f"{programs}/pg_ctl", "-D", data, "-l", os.path.join(folder, "log"), "-w"]
    _must([*control, "-o", options, "start"], cwd=folder, **user)
    try:
        _must([f"{programs}/pgbench", *at, "-i", "-s", "1", "-q", "postgres"], cwd=folder)
        script = os.path.join(folder, "verified.sql")
        with open(script, "w", encoding="ascii") as out:
            out.write(_kVerified)
        argv = [f"{programs}/pgbench", *at, "-n", "-j", "4", "-c", "8", "-T", str(seconds), "-f", script, "postgres"]
        with ServerRun(launcher, nodes, argv) as run:
            status = run.job.wait(seconds + kClientSeconds)
            with open(run.error_path, encoding="utf-8") as file:
                counted = re.search(r"actually processed: (\d+)", file.read())
            sums = _must([f"{programs}/psql", *at, "-Atc", _kSums, "postgres"], cwd=folder).strip()
            if status != 0 or not counted:
                run.fail(f"pgbench: exit status {status}")
            elif int(counted.group(1)) < 1 or sums != f"t|{counted.group(1)}":
                run.fail(f"{counted.group(1)} transactions, but the tables say {sums}")
            run.note = f"{counted.group(1) if counted else 0} transactions in {seconds} s"
            run.check_report()
            return run.problem, run.note
    finally:
        _run([*control, "-m", "immediate", "stop"], cwd=folder, **user)
