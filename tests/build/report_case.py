# SPDX-License-Identifier: Apache-2.0
"""PASS, FAIL and SKIP lines for build-aux/run-checks, from functions named test_*."""
import sys
import tempfile
import traceback
from pathlib import Path


class Skip(Exception):
    """This machine cannot do what the test needs; the text says what."""


def run_all(namespace):
    """Calls each test with a fresh folder; returns the exit status."""
    failures = 0
    for name, function in sorted(namespace.items()):
        if not name.startswith("test_"):
            continue
        with tempfile.TemporaryDirectory(prefix="dsm-build-") as folder:
            try:
                function(Path(folder))
                print(f"PASS {name[5:]}", flush=True)
            except Skip as reason:
                print(f"SKIP {name[5:]} {reason}", flush=True)
            except Exception as error:
                failures += 1
                print(f"FAIL {name[5:]} {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)
                traceback.print_exc(file=sys.stderr)
    return 1 if failures else 0


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")
