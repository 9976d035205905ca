# SPDX-License-Identifier: Apache-2.0
"""Language runtimes: just-in-time compilers, collectors, threads and processes of their own making. Sources in languages/ and scripts/."""

from program_case import Case

kShare = 0.2


def _java(name, *options, **more):
    return Case(name, ("/usr/bin/java", *options, "-XX:-UsePerfData", "-cp", "{made}/busy_java", "Busy", "{size}"), made=("busy_java",),
                sizes=("1", "2"), remote_cpu=kShare, **more)


kCases = (
    _java("java-parallel", "-XX:+UseParallelGC", "-Xmx256m"),
    _java("java-g1", "-XX:+UseG1GC", "-Xmx256m"),
    Case("node-workers", ("/usr/bin/node", "{here}/languages/busy.js", "{size}"), sizes=("1", "2"), remote_cpu=kShare),
    Case("go-goroutines", ("{made}/busy_go", "{size}"), made=("busy_go",), sizes=("1", "2"), remote_cpu=kShare),
    Case("perl-threads", ("/usr/bin/perl", "{here}/languages/busy.pl", "{size}"), sizes=("2", "4"), remote_cpu=kShare),
    Case("python-fork", ("/usr/bin/python3", "{here}/scripts/processes.py", "fork")),
    Case("python-spawn", ("/usr/bin/python3", "{here}/scripts/processes.py", "spawn")),
)
