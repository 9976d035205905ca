# SPDX-License-Identifier: Apache-2.0
"""What a program test is: a command, its inputs, and which of its effects count."""

import dataclasses
import re
from typing import Callable, Optional, Tuple


@dataclasses.dataclass(frozen=True)
class Case:
    """One program. In `argv` and `env`, {here} is this folder, {subjects} our own programs, {made} what made_programs.py
    builds, and {size} the first or the second of `sizes`."""

    name: str
    argv: Tuple[str, ...]
    # Inputs (inputs.py) that are copied into the run's folder under these names.
    inputs: Tuple[Tuple[str, str], ...] = ()
    # Files that must be equal after the run, besides standard output and the exit status.
    outputs: Tuple[str, ...] = ()
    env: Tuple[Tuple[str, str], ...] = ()
    # Programs that are built first (made_programs.py).
    made: Tuple[str, ...] = ()
    # {size} in the short and in the long set.
    sizes: Tuple[str, str] = ("1", "1")
    # False: a program without threads, or whose children have them: being launched must do it no harm.
    distributed: bool = True
    # At least this part of the CPU time must have been used on other nodes than the origin.
    remote_cpu: float = 0.0
    # Removes from standard output what may differ: times above all.
    normalise: Callable[[bytes], bytes] = bytes
    # (native stderr, distributed stderr, nodes) -> a problem or None.
    compare_errors: Optional[Callable[[bytes, bytes, int], Optional[str]]] = None
    # Also run at four nodes in the short set.
    at_four: bool = False
    # Exit status that the native run must give.
    status: int = 0


def only_lines(pattern):
    """A normalisation that keeps the lines which match and squeezes their blanks."""
    wanted = re.compile(pattern.encode())

    def keep(data):
        return b"\n".join(b" ".join(line.split()) for line in data.splitlines()
                          if wanted.search(line))
    return keep
