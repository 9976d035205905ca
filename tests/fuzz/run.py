#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds a fuzz target with libFuzzer and AddressSanitizer and runs it; without them its own driver does what it can.

usage: run.py --driver PROGRAM --seconds N [--link 'ARGS'] SOURCE...      (from the root of the tree)
"""
import argparse
import os
import shutil
import subprocess
import sys

FLAGS = "-std=c++20 -O1 -g -D_GNU_SOURCE -I. -Ilibdsm/include -Ipagedir/include -fsanitize=fuzzer,address -fno-sanitize-recover=all"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--link", default="")
    parser.add_argument("sources", nargs="+")
    options = parser.parse_args()
    name = os.path.basename(options.driver)
    work = options.driver + ".libfuzzer"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "corpus"))

    compiler = shutil.which("clang++-14") or shutil.which("clang++")
    fuzzer = os.path.join(work, name)
    libraries = [word for word in options.link.split() if not word.endswith(".o")]
    built = compiler is not None and subprocess.run(
        [compiler, *FLAGS.split(), "-o", fuzzer, *options.sources, *libraries, "-lpthread"]).returncode == 0
    if not built:
        print("SKIP %s_libfuzzer needs clang++-14 and libclang-rt-14-dev" % name, flush=True)
        return subprocess.run([options.driver, "--seconds", str(options.seconds), "--seed", "2"]).returncode

    subprocess.run([options.driver, "--write-seeds", os.path.join(work, "corpus")], check=True)
    done = subprocess.run([fuzzer, "-max_total_time=%d" % options.seconds, "-timeout=20", "-rss_limit_mb=2048", "-max_len=16384",
                           "-print_final_stats=1", "-artifact_prefix=" + work + "/", os.path.join(work, "corpus")])
    verdict = "PASS %s_libfuzzer" % name if done.returncode == 0 else "FAIL %s_libfuzzer the input is in %s" % (name, work)
    print(verdict, flush=True)
    return 0 if done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
