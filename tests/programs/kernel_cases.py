# SPDX-License-Identifier: Apache-2.0
"""Our own programs of the kernels folder: each checks itself and prints the same in every run."""

from program_case import Case

kFour = (("OMP_NUM_THREADS", "4"),)


def _kernel(name, *arguments, subject=None, **more):
    return Case(name, ("{subjects}/" + (subject or name), *arguments), **more)


def _cpus(errors):
    for line in errors.decode(errors="replace").splitlines():
        if line.startswith("cpus "):
            return int(line.split()[1])
    return None


def _cpu_sum(native, distributed, nodes):
    """Every node of a test job runs on this machine and counts all its processors."""
    wanted, found = _cpus(native) * nodes, _cpus(distributed)
    return None if found == wanted else f"{found} processors reported, expected the sum {wanted}"


kCases = (
    _kernel("stencil_barrier", at_four=True),
    _kernel("spin_barrier"),
    _kernel("cas_list"),
    _kernel("omp_cg", env=kFour),
    _kernel("omp_tasks", env=kFour),
    _kernel("malloc_pass"),
    _kernel("create_join"),
    _kernel("async_exceptions", at_four=True),
    _kernel("thread_locals"),
    _kernel("absent_io"),
    _kernel("remote_mmap"),
    _kernel("epoll_echo"),
    _kernel("special_mutexes"),
    _kernel("remote_segv"),
    _kernel("cancel_kill"),
    _kernel("signal_storm", at_four=True),
    _kernel("spawn_threads", at_four=True),
    _kernel("plain_threads"),
    _kernel("plain_no_pie"),
    _kernel("plain_static"),
    _kernel("plain_static_pie"),
    _kernel("dlopen_host"),
    _kernel("exec_self"),
    _kernel("fork_instant", at_four=True),
    _kernel("exit_from_main", "return", subject="exit_status", status=7),
    _kernel("exit_from_thread", "thread", subject="exit_status", status=7),
    _kernel("exit_of_last", "last", subject="exit_status", status=7),
    _kernel("cpu_counts", compare_errors=_cpu_sum),
)
