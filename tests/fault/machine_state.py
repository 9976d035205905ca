# SPDX-License-Identifier: Apache-2.0
"""What a job could leave behind outside its own folders: shared memory of any kind."""

import os
import time


def shared_memory():
    """Names in /dev/shm and System V segments of this user."""
    names = {f"/dev/shm/{name}" for name in os.listdir("/dev/shm")}
    with open("/proc/sysvipc/shm") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            names.add(f"System V segment {fields[1]}")
    return names


def new_shared_memory(before, seconds):
    """What is there now and was not `before`, once nothing more goes away or the time is over."""
    deadline = time.monotonic() + seconds
    while (new := shared_memory() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(new)
