# SPDX-License-Identifier: Apache-2.0
"""Include arrows point downward, as the table in libdsm/README.md says.

The table's rows are `| layer | folder | may include | what it is |`, lowest layer first; "may include" is `all below`, or
names of layers. Rows below the line for the runtime work in the same way.
"""
import re
from pathlib import Path, PurePosixPath

from tree import Finding

TABLE = Path("libdsm/README.md")
ROW = re.compile(r"^\|\s*([a-z]+)\s*\|\s*`([^`]+)`\s*\|\s*([^|]*?)\s*\|")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')

# What the runtime shares with its agent and with libdsm.so, and what is shared with programs.
ABI_HEADERS = {PurePosixPath("libdsm/runtime/abi.h"), PurePosixPath("libdsm/runtime/dsm_calls.h")}
PUBLIC = "libdsm/include"

# The runtime is freestanding: the kernel's own headers and those of the compiler.
FREESTANDING = re.compile(
    r"^(linux/|asm/|asm-generic/|(stdint|stddef|stdarg|stdbool|limits|elf|immintrin|cpuid|x86intrin)\.h$"
    r"|(cstdint|cstddef|cstdarg|climits|type_traits|concepts|new|limits|utility|bit|atomic|initializer_list)$)")


class Layer:
    def __init__(self, name, folder, allowed):
        self.name, self.folder, self.allowed = name, folder, allowed


def read_table(root):
    """Layers in order of folders' length, so that the most specific folder is found first."""
    layers, below = [], []
    for line in (root / TABLE).read_text().splitlines():
        match = ROW.match(line)
        if not match or match.group(1) == "layer":
            continue
        name, folder, allowed = match.groups()
        names = set(below) if allowed == "all below" else {word.strip() for word in allowed.split(",")} - {"nothing"}
        layers.append(Layer(name, folder.rstrip("/"), names))
        below.append(name)
    return sorted(layers, key=lambda layer: -len(layer.folder))


def layer_of(layers, path):
    for layer in layers:
        if str(path).startswith(layer.folder + "/"):
            return layer
    return None


def target_of(tree_paths, file, name):
    """The file of the tree that an include names, or None for a system header."""
    candidates = [file.path.parent / name, Path(name), Path("libdsm/include") / name, Path("pagedir/include") / name]
    for candidate in candidates:
        plain = PurePosixPath(re.sub(r"[^/]+/\.\./", "", str(candidate)))
        if plain in tree_paths:
            return plain
    return None


def check_include(layers, layer, file, number, quoted, name, target):
    if target is None:
        if quoted:
            yield Finding("layers", file.path, number, f"no such file: {name}")
            return
        if layer.name == "runtime" and not FREESTANDING.match(name):
            yield Finding("layers", file.path, number, f"<{name}> is not freestanding")
        return
    if target in ABI_HEADERS or str(target).startswith(PUBLIC + "/"):
        return
    other = layer_of(layers, target)
    if other is None:
        yield Finding("layers", file.path, number, f"{target} belongs to no layer of {TABLE}")
    elif other is not layer and other.name not in layer.allowed:
        yield Finding("layers", file.path, number, f"{layer.name} may not include {other.name} ({target})")


def check(tree):
    layers = read_table(tree.root)
    if not layers:
        yield Finding("layers", TABLE, 1, "no layer table found")
        return
    paths = {PurePosixPath(file.path) for file in tree.sources}
    for file in tree.sources:
        layer = layer_of(layers, file.path)
        if layer is None:
            if file.path.parts[0] in ("libdsm", "pagedir") and not str(file.path).startswith(PUBLIC + "/"):
                yield Finding("layers", file.path, 1, f"in no folder of the table in {TABLE}")
            continue
        for number, line in enumerate(file.lines, 1):
            match = INCLUDE.match(line)
            if match:
                quote, name = match.groups()
                target = target_of(paths, file, name)
                yield from check_include(layers, layer, file, number, quote == '"', name, target)
