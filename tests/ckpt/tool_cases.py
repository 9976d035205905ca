#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dsm-ckpt on stores of three generations: what it prints, says of damage, and its exit statuses."""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))
from verdicts import Verdicts  # noqa: E402

SECONDS = 60
SCHEMA = "dsm-ckpt/1"


class Wrong(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Wrong(what)


class Tool:
    def __init__(self, build, store):
        self.program, self.store = build / "bin" / "dsm-ckpt", store

    def run(self, *arguments, status=0):
        done = subprocess.run([str(self.program), *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS)
        expect(done.returncode == status, f"{arguments}: status {done.returncode} instead of {status}: {done.stdout} {done.stderr}")
        return done

    def json(self, command, *arguments, status=0):
        document = json.loads(self.run(command, "--json", *arguments, self.store, status=status).stdout)
        expect(document["schema"] == SCHEMA, document["schema"])
        expect(len(document["jobs"]) == 1 and document["jobs"][0]["job"] == "4711", document)
        return document["jobs"][0]


def sound_store(tool):
    job = tool.json("list")
    expect([g["generation"] for g in job["generations"]] == [3, 2, 1], job)
    expect(all(g["committed"] and g["usable"] and not g["findings"] for g in job["generations"]), job)
    expect(job["newest_usable"] == 3 and job["program"] == "/usr/bin/sample", job)
    expect(tool.json("verify")["newest_usable"] == 3, "verify")
    table = tool.run("list", tool.store).stdout
    expect(table.count("good") == 3 and "/usr/bin/sample" in table, table)
    expect("generation 3 can be used" in tool.run("verify", tool.store).stdout, "verify in words")


def show(tool):
    job = tool.json("show", "-g", 3)
    expect([g["generation"] for g in job["generations"]] == [3], job)
    parts = job["generations"][0]["parts"]
    expect([p["node"] for p in parts] == [0, 1], parts)
    expect([f["generation"] for f in parts[0]["files"]] == [1, 2, 3] and all(f["blocks"] for f in parts[0]["files"]), parts[0]["files"])
    expect({s["name"]: s["bytes"] for s in parts[0]["sections"]} == {"node": 103, "process": 267144, "empty": 0}, parts[0]["sections"])
    expect("process 260.9KiB" in tool.run("show", tool.store).stdout, tool.run("show", tool.store).stdout)


def damage_is_named(tool):
    data = tool.store / "4711" / "node-1" / "gen-3.data"
    with open(data, "r+b") as file:
        file.seek(4100)
        byte = file.read(1)
        file.seek(4100)
        file.write(bytes([byte[0] ^ 4]))
    expect(tool.json("list")["newest_usable"] == 3, "list reads no data")
    job = tool.json("verify", status=1)
    expect(job["newest_usable"] == 2 and str(data) in job["generations"][0]["findings"][0], job)
    text = tool.run("verify", tool.store, status=1).stdout
    expect(str(data) in text and "cannot be used" in text and "generation 2 can be used" in text, text)


def nothing_left(tool):
    for generation in (1, 2, 3):
        (tool.store / "4711" / "node-0" / f"gen-{generation}.manifest").unlink()
    job = tool.json("verify", status=3)
    expect(job["newest_usable"] is None and all(g["findings"] for g in job["generations"]), job)
    expect("no generation can be used" in tool.run("verify", tool.store, status=3).stdout, "in words")
    expect("nothing was removed" in tool.run("prune", tool.store, status=1).stderr, "prune")


def prune(tool):
    removed = tool.json("prune")
    expect(removed["bytes"] > 0 and any(name.endswith("gen-1.manifest") for name in removed["removed"]), removed)
    expect([g["generation"] for g in tool.json("verify")["generations"]] == [3, 2], "two are left, and sound")
    expect(tool.json("prune")["removed"] == [], "a second time")
    tool.json("prune", "--keep", 1)
    expect([g["generation"] for g in tool.json("verify")["generations"]] == [3], "one is left, and sound")


def misuse(tool):
    expect("usage" in tool.run("--help").stdout.lower(), "help goes to standard output")
    for arguments in ((), ("list",), ("prune", tool.store, "--keep", 0), ("show", tool.store, "-g", 0), ("prune", tool.store, tool.store)):
        expect(tool.run(*arguments, status=2).stderr, f"{arguments} says nothing")
    expect("/nowhere" in tool.run("list", "/nowhere", status=1).stderr, "a directory that is not there")
    expect("4712" in tool.run("show", tool.store, "--job", 4712, status=1).stderr, "a job that is not there")
    expect("generation 7" in tool.run("show", tool.store, "-g", 7, status=1).stderr, "a generation that is not there")
    with tempfile.TemporaryDirectory(prefix="dsm-ckpt-") as empty:
        expect(tool.run("list", empty).stdout == "no checkpoints\n", "an empty directory")
        tool.run("verify", empty, status=3)


CASES = [sound_store, show, damage_is_named, nothing_left, prune, misuse]


def main():
    build = Path(sys.argv[1])
    verdicts = Verdicts()
    with tempfile.TemporaryDirectory(prefix="dsm-ckpt-") as scratch:
        original = Path(scratch) / "original"
        original.mkdir()
        subprocess.run([str(build / "tests" / "damage_fuzz"), "--write", str(original)], check=True, timeout=SECONDS)
        for case in CASES:
            store = Path(scratch) / case.__name__
            shutil.copytree(original, store)
            try:
                case(Tool(build, store))
                verdicts.record(case.__name__)
            except (Wrong, ValueError, KeyError, IndexError) as error:
                verdicts.record(case.__name__, f"{type(error).__name__}: {error}")
    return verdicts.exit_status()


if __name__ == "__main__":
    sys.exit(main())
