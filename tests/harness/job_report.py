# SPDX-License-Identifier: Apache-2.0
"""Reads what `dsm-launch --report` writes (schema dsm-stat/1)."""

import json


class JobReport:
    def __init__(self, path):
        """Raises ValueError or OSError when there is no report of the known schema."""
        with open(path) as file:
            document = json.load(file)
        if document.get("schema") != "dsm-stat/1":
            raise ValueError(f"schema is {document.get('schema')!r}, not 'dsm-stat/1'")
        if not document.get("jobs"):
            raise ValueError("the report holds no job")
        self.job = document["jobs"][0]

    def remote_threads(self):
        """How many threads ran on another node than the origin."""
        threads = self.job.get("threads")
        if threads is not None:
            return sum(1 for thread in threads if thread["node"] != 0)
        return sum(node.get("threads_run", 0) for node in self.job["nodes"] if node["id"] != 0)

    def remote_cpu_share(self):
        """The part of the program's CPU time that was used on other nodes than the origin."""
        used = {node["id"]: node["cpu_ns"] for node in self.job["nodes"]}
        return 1 - used[0] / max(1, sum(used.values()))

    def pages_moved(self):
        """Pages that came to a node from another one, over all nodes."""
        return sum(node["pages_in"] for node in self.job["nodes"])

    def migrations(self):
        """Threads that were moved to another node while they ran, as often as it happened."""
        return self.job.get("migrations", 0)

    def nodes(self):
        return len(self.job["nodes"])
