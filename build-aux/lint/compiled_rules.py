# SPDX-License-Identifier: Apache-2.0
"""Rules that need a compiler or a built file."""
import subprocess
from pathlib import Path

from tree import Finding

INCLUDES = ["-I.", "-Ilibdsm/include", "-Ipagedir/include"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def compiles_alone(tree, header, compiler, language, standard):
    command = compiler.split() + ["-x", language, f"-std={standard}"] + INCLUDES + STRICT + [str(header.path)]
    # A header as the main file: its #pragma once is in order.
    command += ["-Wno-pragma-once-outside-header"] if "clang" in compiler else []
    run = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    messages = [line for line in run.stderr.splitlines() if ": error:" in line or ": warning:" in line]
    messages = [line for line in messages if "#pragma once in main file" not in line]
    if run.returncode != 0 and messages:
        yield Finding("header-alone", header.path, 1, f"does not compile alone as {standard}: {messages[0]}")


def public_headers(tree, cc, cxx):
    for file in tree.sources:
        path = str(file.path)
        if not file.is_header:
            continue
        if path.startswith("libdsm/include/"):
            yield from compiles_alone(tree, file, cc, "c", "c11")
            yield from compiles_alone(tree, file, cxx, "c++", "c++17")
        elif path.startswith("pagedir/include/"):
            yield from compiles_alone(tree, file, cxx, "c++", "c++20")


def runtime_image(path):
    """The runtime lives in other people's processes: nothing but itself may be needed to run it."""
    def tool(*command):
        return subprocess.run(list(command) + [str(path)], check=True, capture_output=True, text=True).stdout

    undefined = [line.split()[-1] for line in tool("nm", "--undefined-only").splitlines() if line.strip()]
    for symbol in undefined:
        yield Finding("runtime-symbols", path, 0, f"undefined symbol {symbol}")
    headers = tool("readelf", "--program-headers", "--wide")
    for kind, why in (("INTERP", "an ELF interpreter"), ("TLS", "thread-local storage")):
        if any(line.split()[:1] == [kind] for line in headers.splitlines()):
            yield Finding("runtime-symbols", path, 0, f"needs {why}")
    if "(NEEDED)" in tool("readelf", "--dynamic", "--wide"):
        yield Finding("runtime-symbols", path, 0, "needs a shared library")


def check(tree, cc, cxx, runtime):
    yield from public_headers(tree, cc, cxx)
    for name in runtime:
        path = Path(name)
        if (tree.root / path).exists():
            yield from runtime_image(tree.root / path)
