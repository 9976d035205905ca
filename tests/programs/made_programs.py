# SPDX-License-Identifier: Apache-2.0
"""Programs in languages of which the build knows nothing: built from the sources of the languages folder when a case first
needs them, and again when their source has changed."""

import hashlib
import os
import shutil
import subprocess

kHere = os.path.dirname(os.path.abspath(__file__))
kBuildDeadline = 300


def _go(source, target, scratch):
    """A static binary: no cgo. Needs no network, for it uses nothing but the standard library."""
    environment = {"PATH": os.environ["PATH"], "HOME": scratch, "GOCACHE": os.path.join(scratch, "cache"),
                   "GOPATH": os.path.join(scratch, "path"), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    return ["go", "build", "-o", target, source], environment


def _java(source, target, scratch):
    return ["javac", "-d", target, source], {"PATH": os.environ["PATH"], "HOME": scratch}


# Name -> source in the languages folder, and how it is built.
kPrograms = {"busy_go": ("busy.go", _go), "busy_java": ("Busy.java", _java)}


def make(folder, name):
    """Builds `name` below `folder` unless it is there, made from the same source. Raises RuntimeError when that fails."""
    source, recipe = kPrograms[name]
    source = os.path.join(kHere, "languages", source)
    with open(source, "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    stamp, target = os.path.join(folder, name + ".stamp"), os.path.join(folder, name)
    if os.path.exists(stamp) and os.path.exists(target):
        with open(stamp, encoding="ascii") as file:
            if file.read() == wanted:
                return
    scratch = target + ".scratch"
    os.makedirs(scratch, exist_ok=True)
    try:
        command, environment = recipe(source, target, scratch)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=kBuildDeadline, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{name} cannot be built: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"{name} cannot be built: {done.stderr.strip()[:500]}")
    with open(stamp, "w", encoding="ascii") as file:
        file.write(wanted)
