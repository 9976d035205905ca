# SPDX-License-Identifier: Apache-2.0
"""make lint: the house rules that a machine can prove. Exit status 1 if one is broken."""
import argparse
import sys
from pathlib import Path

import compiled_rules
import context_rules
import layers
import text_rules
from tree import Tree


def main():
    options = argparse.ArgumentParser(prog="lint", description=__doc__)
    options.add_argument("--root", type=Path, default=Path("."))
    options.add_argument("--cc", default="gcc")
    options.add_argument("--cxx", default="g++")
    options.add_argument("--runtime", nargs="*", default=[], help="built freestanding files, looked at if they exist")
    chosen = options.parse_args()

    tree = Tree(chosen.root)
    findings = [*text_rules.check(tree), *layers.check(tree), *context_rules.check(tree),
                *compiled_rules.check(tree, chosen.cc, chosen.cxx, chosen.runtime)]
    for finding in findings:
        print(finding)
    errors = sum(not finding.warning for finding in findings)
    print(f"lint: {len(tree.files)} files, {errors} errors, {len(findings) - errors} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
