# SPDX-License-Identifier: Apache-2.0
"""Python threads: workers take blocks from a queue, compress and hash them outside the
interpreter lock, and put the results into another queue. Prints one hash over all, in order."""

import hashlib
import queue
import sys
import threading
import zlib

THREADS = 4
BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else 430
BLOCK_BYTES = 256 << 10


def block(number):
    seed = hashlib.sha256(str(number).encode()).digest()
    return (seed * (BLOCK_BYTES // len(seed) // 8 + 1) + hashlib.shake_256(seed).digest(BLOCK_BYTES))[:BLOCK_BYTES]


def work(jobs, results):
    counts = {}
    while (number := jobs.get()) is not None:
        data = block(number)
        packed = zlib.compress(data, 6)
        assert zlib.decompress(packed) == data
        digest = hashlib.sha256(packed).hexdigest()
        for character in digest:
            counts[character] = counts.get(character, 0) + 1
        results.put((number, digest))
    results.put((None, counts))


def main():
    jobs, results = queue.Queue(maxsize=16), queue.Queue()
    workers = [threading.Thread(target=work, args=(jobs, results)) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for number in range(BLOCKS):
        jobs.put(number)
    for _ in workers:
        jobs.put(None)
    for worker in workers:
        worker.join()
    digests, letters = {}, 0
    while not results.empty():
        number, value = results.get()
        if number is None:
            letters += sum(value.values())
        else:
            digests[number] = value
    assert sorted(digests) == list(range(BLOCKS)) and letters == 64 * BLOCKS
    total = hashlib.sha256("".join(digests[n] for n in range(BLOCKS)).encode()).hexdigest()
    print(f"{BLOCKS} blocks by {THREADS} threads: {total}")


main()
