#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers under dsm-launch with load from outside: every answer is verified, and SIGTERM ends them within 2 s.

  run.py --set check               nginx, haproxy and mariadbd at 2 nodes, some seconds each
  run.py --set soak                all of them at 2 and 4 nodes, a minute each
  run.py --only haproxy -n 4 --seconds 20
"""

import argparse
import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True

import database_servers  # noqa: E402
import http_servers  # noqa: E402
import verdicts  # noqa: E402  (server_run has put the harness on the path)

# Name -> (function, in the short set). Each: (launcher, nodes, seconds, folder) -> (problem or None, note).
kServers = {
    "nginx": (http_servers.nginx, True),
    "haproxy": (http_servers.haproxy, True),
    "varnishd": (http_servers.varnishd, False),
    "mariadbd": (database_servers.mariadbd, True),
    "pgbench": (database_servers.pgbench, False),
}
kSeconds = {"check": 5, "soak": 60}


def main(argv):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(root, "build"), help="the build folder")
    parser.add_argument("--set", choices=("check", "soak"), default="check")
    parser.add_argument("--only", type=re.compile, help="names that match this expression, of either set")
    parser.add_argument("-n", "--nodes", type=int, help="only at this number of nodes")
    parser.add_argument("--seconds", type=int, help="of load")
    opts = parser.parse_args(argv)
    launcher = os.path.join(os.path.abspath(opts.build), "bin", "dsm-launch")
    results = verdicts.Verdicts()
    for name, (serve, is_short) in kServers.items():
        if not (opts.only.search(name) if opts.only else is_short or opts.set == "soak"):
            continue
        for nodes in [opts.nodes] if opts.nodes else [2] if opts.set == "check" else [2, 4]:
            folder = tempfile.mkdtemp(prefix="dsms-", dir="/tmp")
            try:
                problem, note = serve(launcher, nodes, opts.seconds or kSeconds[opts.set], folder)
            except (OSError, RuntimeError) as error:
                problem, note = str(error), None
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            results.record(f"{name}-n{nodes}", problem, note)
    return results.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
