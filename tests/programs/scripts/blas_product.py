# SPDX-License-Identifier: Apache-2.0
"""numpy over OpenBLAS: products of matrices of small whole numbers. All sums are exact, so the
bits depend neither on the number of BLAS threads nor on how they share the work."""

import hashlib
import sys
import threading

import numpy

SIDE = int(sys.argv[1]) if len(sys.argv) > 1 else 2000


def matrix(seed, kind):
    return numpy.random.RandomState(seed).randint(-50, 51, size=(SIDE, SIDE)).astype(kind)


def main():
    a, b = matrix(1, numpy.float64), matrix(2, numpy.float64)
    chain = a @ b
    again = (a.T @ b).T - b.T @ a
    assert not again.any()
    narrow = matrix(3, numpy.float32) @ matrix(4, numpy.float32)
    parts = [None] * 4

    def row_sums(part):
        parts[part] = chain[part::4] @ numpy.ones(SIDE)

    threads = [threading.Thread(target=row_sums, args=(p,)) for p in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part in range(4):
        assert (parts[part] == chain[part::4].sum(axis=1)).all()
    digest = hashlib.sha256(chain.tobytes() + narrow.tobytes()).hexdigest()
    print(f"{SIDE} x {SIDE}: {digest}")


main()
