# SPDX-License-Identifier: Apache-2.0
"""Rules that one file's text, or its name, can break by itself."""
import re
from collections import defaultdict

from tree import Finding

MAX_LINES = 800
WARN_LINES = 400

# Texts that are not ours to shape.
FOREIGN = {"LICENSE", "COPYING"}
# Names that a folder is expected to have.
REPEATED_NAMES = {"build.mk", "README.md", "__init__.py", "__main__.py", "Kbuild", "COPYING", ".gitignore"}

# Written in pieces so that this file does not match itself.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK"]) + r")\b")
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.$}/])/(?:wor[k]|far[m]|roo[t]|hom[e]/[a-z])[/\s\"']")
LINK = re.compile(r"\]\(([^)#\s]+)")
TRAILING_SPACE = re.compile(r"[ \t]+$")
USING_STD = re.compile(r"\busing\s+namespace\s+std\b")
PRAGMA_ONCE = re.compile(r"^#pragma once$", re.MULTILINE)
# Headers that other people's C compilers read may be guarded the portable way.
PUBLIC_C = "libdsm/include/"
INCLUDE_GUARD = re.compile(r"^#ifndef (\w+)\n#define \1$", re.MULTILINE)


def text(file):
    if file.path.name in FOREIGN:
        return
    yield from file.find("unfinished", UNFINISHED, "'{0}': finish it, or say it in the issue")
    yield from file.find("machine-path", MACHINE_PATH, "path of one machine: {0}")
    yield from file.find("trailing-space", TRAILING_SPACE, "trailing white space")
    if file.text and not file.text.endswith("\n"):
        yield Finding("trailing-space", file.path, len(file.lines), "no newline at the end of the file")


def source(file):
    if not file.is_source:
        return
    count = len(file.lines)
    if count > MAX_LINES:
        yield Finding("file-length", file.path, count, f"{count} lines; no file is longer than {MAX_LINES}")
    elif count > WARN_LINES:
        yield Finding("file-length", file.path, count, f"{count} lines: what is its second reason?", warning=True)
    yield from file.find("using-std", USING_STD, "{0}", code_only=True)
    guarded = str(file.path).startswith(PUBLIC_C) and INCLUDE_GUARD.search(file.text)
    if file.is_header and not guarded and not PRAGMA_ONCE.search(file.text):
        yield Finding("pragma-once", file.path, 1, "a header begins with #pragma once")


def links(tree):
    """What a page of the docs points to in the tree is there."""
    for file in tree.files:
        if file.path.suffix != ".md":
            continue
        for number, line in enumerate(file.lines, 1):
            for target in LINK.findall(line):
                if "://" not in target and not (tree.root / file.path.parent / target).exists():
                    yield Finding("doc-link", file.path, number, f"no such file: {target}")


def unique_names(tree):
    where = defaultdict(list)
    for file in tree.sources:
        where[file.path.name].append(file.path)
    for name, paths in sorted(where.items()):
        if name not in REPEATED_NAMES:
            for path in paths[1:]:
                yield Finding("unique-name", path, 1, f"a second {name}, beside {paths[0]}")


def check(tree):
    for file in tree.files:
        yield from text(file)
        yield from source(file)
    yield from unique_names(tree)
    yield from links(tree)
