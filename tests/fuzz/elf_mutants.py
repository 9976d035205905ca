#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose ELF headers were damaged, under the runtime on one node. The kernel's own loader is the oracle: what runs
well natively must do the same here, and whatever the damage, the runtime ends in time and never by a bug of its own.

usage: elf_mutants.py BUILD [--seconds N] [--seed S]
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 4   # for programs that need a hundredth of a second; some mutants run for ever, natively too
HEADER_BYTES, ENTRY_BYTES = 64, 56
EDGES = (0, 1, 0xfff, 0x1000, 0x7fffffff, 0xffffffff, 1 << 46, 0x557ffffff000, 0x558000000000, 0x7ffffffff000, 1 << 63, (1 << 64) - 1)


def run(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        return "deadline", b"", b""
    except OSError:
        return "refused", b"", b""
    return done.returncode, done.stdout, done.stderr


def damage(image, rng):
    """A copy with one to three fields of the ELF header or a program header changed."""
    count = int.from_bytes(image[56:58], "little")
    mutant = bytearray(image)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.2:
            at, width = rng.randrange(4, HEADER_BYTES - 8), rng.choice((1, 2, 4))
        else:
            field, width = rng.choice(((0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)))
            at = HEADER_BYTES + rng.randrange(count) * ENTRY_BYTES + field
        old = int.from_bytes(mutant[at:at + width], "little")
        new = rng.choice((rng.choice(EDGES), old ^ 1 << rng.randrange(8 * width), old + rng.randint(-0x2000, 0x2000)))
        mutant[at:at + width] = (new % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(mutant)


def judge(native, ours, healthy):
    if ours[0] == "deadline" and native[0] != "deadline":
        return "does not end"
    if b"BUG" in ours[2]:
        return "a bug of the runtime: " + ours[2].decode(errors="replace").strip()
    if native[0] == healthy and ours[:2] != native[:2]:
        return "runs natively, here status %s: %s" % (ours[0], ours[2].decode(errors="replace").strip())
    return None   # the kernel is free to be stricter, and we are free to refuse what it kills at once


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    solo = [os.path.join(build, "tests/runtime_solo"), os.path.join(build, "lib/dsm/dsm-runtime")]
    rng = random.Random(options.seed)
    print("seed %d" % options.seed, flush=True)
    programs = {name: open(os.path.join(build, "tests", name), "rb").read()
                for name in ("static_program", "static_pie_program", "fixed_address_program")}
    healthy = {name: run([os.path.join(build, "tests", name)])[0] for name in programs}
    failed = tried = ran = 0
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="elf_mutants_") as folder:
        path = os.path.join(folder, "mutant")
        while time.monotonic() < end and failed < 10:
            name = sorted(programs)[tried % len(programs)]
            mutant = damage(programs[name], rng) if tried >= len(programs) else programs[name]
            with open(path, "wb") as file:
                file.write(mutant)
            os.chmod(path, 0o700)
            tried += 1
            native = run([path])
            wrong = judge(native, run(solo + [path]), healthy[name])
            ran += native[0] == healthy[name]
            os.unlink(path)
            if wrong is None:
                continue
            failed += 1
            kept = os.path.join(build, "elf_mutant_%d_%d" % (options.seed, tried))
            with open(kept, "wb") as file:
                file.write(mutant)
            print("FAIL elf_mutant_%d %s (kept as %s)" % (tried, wrong, kept), flush=True)
    print("%d mutants, %d of them run natively" % (tried, ran))
    if failed == 0 and ran > 0:
        print("PASS elf_mutants")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
