# SPDX-License-Identifier: Apache-2.0
"""The lines that build-aux/run-checks reads, and the exit status that goes with them."""

import sys


class Verdicts:
    """Prints one line a test as it ends and remembers whether any failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def record(self, name, problem=None, note=None):
        """`problem` is None for a pass, else one line that says what was expected and found."""
        if note:
            print(f"# {name}: {note}")
        if problem is None:
            self.passed += 1
            print(f"PASS {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name} {' '.join(str(problem).split())}", flush=True)

    def exit_status(self):
        """0 when at least one test ran and none failed."""
        if self.passed + self.failed == 0:
            print("nothing ran: the selection matches no test", file=sys.stderr)
            return 2
        return 1 if self.failed else 0
