# SPDX-License-Identifier: Apache-2.0
"""What stress-ng's stressors do, in one process and with verification; and threads on libcrypto."""

from program_case import Case

kShare = 0.2


def _stress(name, check, soak):
    """`check` and `soak`: the first argument, which is how often."""
    return Case(name, ("{subjects}/" + name, "{size}"), sizes=(check, soak), remote_cpu=kShare)


kCases = (
    _stress("stress_pthread", "4", "16"),
    _stress("stress_futex", "600", "2500"),
    _stress("stress_vm", "2", "8"),
    _stress("stress_sigq", "250", "1000"),
    _stress("stress_mmap", "250", "1000"),
    _stress("stress_cache", "40", "120"),
    _stress("crypto_threads", "200", "800"),
)
