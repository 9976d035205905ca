# SPDX-License-Identifier: Apache-2.0
"""What code may do depends on the folder that it is in: who calls the kernel, and what is pure."""
import re

KERNEL_FOLDERS = ("libdsm/os/", "libdsm/runtime/", "libdsm/preload/")
CORE_FOLDERS = ("libdsm/", "pagedir/")
PURE_FOLDERS = ("pagedir/", "libdsm/coherence/", "libdsm/wire/")

RAW_CALL = re.compile(
    r"(?<![\w.>:])(?:::)?(?:syscall|ioctl|mmap|munmap|mprotect|madvise|fallocate|memfd_create|socket|recvmsg|sendmsg"
    r"|epoll_\w+|io_uring_\w+|ibv_\w+|rdma_\w+)\s*\(")
KERNEL_HEADER = re.compile(
    r"#\s*include\s*<(?:sys/(?:ioctl|syscall|mman|socket|epoll)\.h|linux/[^>]+|liburing\.h|infiniband/[^>]+|rdma/[^>]+)>")
IMPURE_HEADER = re.compile(
    r"#\s*include\s*<(?:sys/[^>]+|unistd\.h|fcntl\.h|pthread\.h|time\.h|ctime|chrono|thread|mutex|condition_variable"
    r"|random|iostream|fstream)>")


def check(tree):
    for file in tree.sources:
        path = str(file.path)
        in_core = path.startswith(CORE_FOLDERS) and not path.startswith(KERNEL_FOLDERS)
        if in_core:
            yield from file.find("kernel-calls", RAW_CALL, "{0}...): only libdsm/os calls the kernel", code_only=True)
            yield from file.find("kernel-calls", KERNEL_HEADER, "{0}: only libdsm/os calls the kernel", code_only=True)
        if path.startswith(PURE_FOLDERS):
            yield from file.find("pure", IMPURE_HEADER, "{0}: protocol code has no I/O, clock or thread", code_only=True)
