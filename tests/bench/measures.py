# SPDX-License-Identifier: Apache-2.0
"""What the bench measures. Each measure gives (value, limit) pairs, one a round, taken one after the other so that a
busy machine slows both."""

import re
from dataclasses import dataclass
from typing import Callable

MIB = 1 << 20
STARTUP_LIMIT_MS = 30.0
PINGPONG_LIMIT = 8
LEASE_CAP_US = 1000.0
STALL_ALLOWANCE_US = 5.0


@dataclass
class Sample:
    value: float
    limit: float
    ratio: float = None      # value / limit unless it is counted otherwise
    note: str = ""
    excused: bool = False    # within an allowance that the ratio does not show

    def __post_init__(self):
        if self.ratio is None:
            self.ratio = self.value / self.limit if self.limit else 0.0


@dataclass
class Measure:
    name: str
    unit: str
    better: str              # of the ratio: "lower" or "higher"
    target: float            # of the ratio
    limit_is: str
    take: Callable           # (Bench) -> Sample
    rounds: int = 3
    polling: bool = True     # both agents; else they may block, which leaves the CPUs to the program

    def met(self, ratio):
        return ratio <= self.target if self.better == "lower" else ratio >= self.target


PAGES = "subjects/page_latency"
LEASES = "subjects/lease_kernels"


def limits(bench):
    return bench.native("machine_limits")


def against_floor(kernel):
    def take(bench):
        floor = limits(bench)["fault_floor_us"]
        figures = bench.distributed(PAGES, kernel).figures
        return Sample(figures["median_us"], floor, note=f"p99 {figures['p99_us']:.1f} us")
    return take


def against_native(kernel):
    def take(bench):
        native = bench.native(PAGES, kernel)["median_us"]
        return Sample(bench.distributed(PAGES, kernel).figures["median_us"], native)
    return take


def sequential_read(bench):
    limit = limits(bench)["stream_bytes_s"] / MIB
    page_us = bench.distributed(PAGES, "sequential_read").figures["median_us"]
    return Sample(4096 / page_us * 1e6 / MIB, limit)


def checkpoint(figure, raw):
    def take(bench):
        figures = bench.native("checkpoint_bench", bench.build)
        return Sample(figures[figure] / MIB, figures[raw] / MIB)
    return take


def delegated_syscall(bench):
    return Sample(bench.distributed(PAGES, "delegated_syscall").figures["median_us"], limits(bench)["round_trip_us"])


def round_trips(report):
    """Messages between agents count half; a delegated call is a round trip between runtimes."""
    messages = sum(node["messages_out"] for node in report.job["nodes"])
    calls = sum(thread.get("delegated_calls", 0) for thread in report.job.get("threads", []))
    return messages / 2 + calls


def futex_pingpong(bench):
    few, many = 200, 1200
    short = bench.distributed(PAGES, "futex_pingpong", few)
    long = bench.distributed(PAGES, "futex_pingpong", many)
    count = (round_trips(long.report) - round_trips(short.report)) / (many - few)
    return Sample(long.figures["median_us"], PINGPONG_LIMIT, count, "ratio: all round trips of a ping-pong, on the path or not")


def startup(bench):
    times = sorted(bench.startup_ms() for _ in range(11))
    return Sample(times[len(times) // 2], STARTUP_LIMIT_MS)


def moves(report):
    return sum(node["pages_in"] for node in report.job["nodes"])


def lease_moves(bench):
    off = bench.distributed(LEASES, "false_sharing", 5, lease="off")
    auto = bench.distributed(LEASES, "false_sharing", 5)
    return Sample(moves(auto.report), moves(off.report))


def lease_throughput(bench):
    seconds = 5
    one = sum(bench.distributed(LEASES, "alone", 2).figures["operations"]) / 2
    both = bench.distributed(LEASES, "false_sharing", seconds).figures["operations"]
    fairness = min(both) / max(both)
    return Sample(sum(both) / seconds / 1e6, one / 1e6, note=f"slower node {fairness:.2f} of the faster")


def lease_stall(bench):
    off = bench.distributed(LEASES, "stall_blocked", lease="off").figures
    auto = bench.distributed(LEASES, "stall_blocked").figures
    excused = auto["median_us"] <= off["median_us"] + STALL_ALLOWANCE_US
    return Sample(auto["median_us"], off["median_us"], excused=excused,
                  note=f"p99 {auto['p99_us']:.0f} us; or at most {STALL_ALLOWANCE_US:.0f} us more")


def lease_stall_computing(bench):
    off = bench.distributed(LEASES, "stall_computing", lease="off").figures
    auto = bench.distributed(LEASES, "stall_computing").figures
    return Sample(auto["p99_us"], off["p99_us"] + LEASE_CAP_US, note=f"p99; median {auto['median_us']:.1f} us")


def auto_against_off(kernel):
    def take(bench):
        off = bench.distributed(LEASES, kernel, lease="off").figures
        auto = bench.distributed(LEASES, kernel).figures
        return Sample(auto["elapsed_us"] / auto["rounds"], off["elapsed_us"] / off["rounds"])
    return take


def directory_page(bench):
    found = re.search(r"directory ([0-9.]+) bytes a page", bench.text("protocol_hot_path"))
    return Sample(float(found.group(1)), 4096)


FLOOR = "one fault and one TCP round trip with a page"
OFF = "the same with --lease off"

MEASURES = [
    Measure("read_fault", "us", "lower", 1.6, FLOOR, against_floor("read_fault")),
    Measure("upgrade", "us", "lower", 1.6, FLOOR, against_floor("upgrade")),
    Measure("write_move", "us", "lower", 1.6, FLOOR, against_floor("write_move")),
    Measure("first_touch_origin", "us/page", "lower", 1.3, "native", against_native("first_touch_origin"), polling=False),
    Measure("first_touch_vessel", "us/page", "lower", 2.0, "native", against_native("first_touch_vessel"), polling=False),
    Measure("sequential_read", "MiB/s", "higher", 0.7, "TCP stream into fresh memfd pages, read once", sequential_read),
    Measure("delegated_syscall", "us", "lower", 1.6, "TCP round trip of 64 bytes", delegated_syscall),
    Measure("futex_pingpong", "us", "lower", PINGPONG_LIMIT, "round trips", futex_pingpong, 1),
    Measure("startup", "ms", "lower", 1.0, "30 ms", startup, 1, polling=False),
    Measure("lease_moves", "pages", "lower", 0.1, OFF, lease_moves, 1, polling=False),
    Measure("lease_throughput", "M/s", "higher", 0.8, "one node alone", lease_throughput, 1, polling=False),
    Measure("lease_stall", "us", "lower", 1.3, OFF, lease_stall, 1, polling=False),
    Measure("lease_stall_computing", "us", "lower", 1.0, "with --lease off, and the cap of 1 ms", lease_stall_computing, 1, polling=False),
    Measure("lock_handoff", "us", "lower", 1.1, OFF, auto_against_off("lock_handoff"), 3, polling=False),
    Measure("spin_barrier", "us", "lower", 1.1, OFF, auto_against_off("spin_barrier"), 3, polling=False),
    Measure("directory_page", "bytes", "lower", 0.025, "a page", directory_page, 1),
    Measure("ckpt_write", "MiB/s", "higher", 0.7, "O_DIRECT and fdatasync of as many bytes", checkpoint("write_bytes_s", "raw_write_bytes_s")),
    Measure("ckpt_restore", "MiB/s", "higher", 0.7, "O_DIRECT read of as many bytes", checkpoint("restore_bytes_s", "raw_read_bytes_s")),
]
