# SPDX-License-Identifier: Apache-2.0
"""Processes of Python: a pool, queues, locks, shared values and memory between parent and children by multiprocessing, and
subprocesses started from several threads at once. The argument is the start method: fork, spawn or forkserver."""

import concurrent.futures
import hashlib
import multiprocessing
import multiprocessing.shared_memory
import os
import subprocess
import sys
import threading


def digest(number):
    value = hashlib.sha256(str(number).encode()).digest()
    for _ in range(500):
        value = hashlib.sha256(value).digest()
    return number, value.hex()


def count(queue, lock, value, array, me):
    for step in range(100):
        with lock:
            value.value += 1
        with array.get_lock():
            array[me] += step
    queue.put((me, os.getpid() != os.getppid()))


def echo(connection):
    while (message := connection.recv()) is not None:
        connection.send(message[::-1])


def fill(name):
    memory = multiprocessing.shared_memory.SharedMemory(name)
    memory.buf[:10000] = bytes(i % 251 for i in range(10000))
    memory.close()


def in_processes(context):
    with context.Pool(3) as pool:
        for line in pool.map(digest, range(20), chunksize=3):
            print(*line)
    queue, lock = context.Queue(), context.Lock()
    value, array = context.Value("q", 0, lock=False), context.Array("q", 3)
    children = [context.Process(target=count, args=(queue, lock, value, array, me)) for me in range(3)]
    for child in children:
        child.start()
    told = sorted(queue.get() for _ in children)
    for child in children:
        child.join()
    print(told, value.value, list(array), [child.exitcode for child in children])
    here, there = context.Pipe()
    child = context.Process(target=echo, args=(there,))
    child.start()
    for number in range(30):
        here.send(("x" * number, number))
        assert here.recv() == (number, "x" * number)
    here.send(None)
    child.join()
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=10000)
    child = context.Process(target=fill, args=(memory.name,))
    child.start()
    child.join()
    print(sum(memory.buf[:10000]))
    memory.close()
    memory.unlink()


def in_threads():
    told = []

    def one(number):
        run = subprocess.run(["sh", "-c", f"echo {number}; cat; exit {number}"],
                             input=b"line\n" * 1000 * number, stdout=subprocess.PIPE, check=False)
        told.append((number, run.returncode, len(run.stdout)))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sorted(told))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(list(pool.map(lambda n: subprocess.check_output(["sh", "-c", f"printf {n} | tr 0-9 a-j"]), range(10))))


if __name__ == "__main__":
    in_processes(multiprocessing.get_context(sys.argv[1]))
    in_threads()
