# SPDX-License-Identifier: Apache-2.0
"""The files of the tree, and findings about them."""
import subprocess
from pathlib import Path

SOURCE_SUFFIXES = {".h", ".c", ".cc", ".S"}


class Finding:
    def __init__(self, rule, path, line, text, warning=False):
        self.rule, self.path, self.line, self.text, self.warning = rule, path, line, text, warning

    def __str__(self):
        kind = "warning" if self.warning else "error"
        return f"{self.path}:{self.line}: {kind}: {self.text} [{self.rule}]"


class SourceFile:
    """One text file; `path` is relative to the root of the tree."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(errors="replace")
        self.lines = self.text.splitlines()

    @property
    def is_source(self):
        return self.path.suffix in SOURCE_SUFFIXES

    @property
    def is_header(self):
        return self.path.suffix == ".h"

    def find(self, rule, pattern, message, code_only=False):
        """A finding for each line that `pattern` matches; {0} in the message is the matched text."""
        for number, line in enumerate(self.lines, 1):
            if code_only:
                line = line.split("//")[0]
            match = pattern.search(line)
            if match:
                yield Finding(rule, self.path, number, message.format(match.group(0).strip()))


class Tree:
    """Every text file that git tracks or would track."""

    def __init__(self, root):
        self.root = Path(root)
        # A clone may belong to another user than the one who checks it.
        command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"]
        listing = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout
        paths = sorted({Path(name) for name in listing.splitlines()})
        self.files = [SourceFile(self.root, path) for path in paths if self._is_text(path)]

    def _is_text(self, path):
        full = self.root / path
        if not full.is_file() or full.is_symlink():
            return False
        with open(full, "rb") as file:
            return b"\0" not in file.read(8192)

    @property
    def sources(self):
        return [file for file in self.files if file.is_source]
