# SPDX-License-Identifier: Apache-2.0
"""Files behind HTTP: a set of random contents, a server of our own for them, and clients that compare every byte of every answer."""

import http.client
import http.server
import os
import random
import socket
import threading
import time

kClients = 4
kAnswerSeconds = 30          # no single answer takes longer
kAnswersOfConnection = 50    # then the client connects anew


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def contents(seed=20):
    """Name -> bytes, from a few hundred bytes to 400 kB."""
    rng = random.Random(seed)
    return {f"file{i}": rng.randbytes(300 + 1000 * i * i) for i in range(20)}


def write_files(files, folder):
    os.makedirs(folder)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)


class Backend:
    """An HTTP server in this process that serves `files`. A context manager."""

    def __init__(self, files):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                data = files.get(self.path.lstrip("/"))
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.send_header("Cache-Control", "max-age=1")
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *unused):
                pass   # the proxy closes connections as it likes; what counts is what the clients get

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()


def answers(port, name="file0"):
    """Does the server answer at all?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/" + name)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _client(number, port, files, end, told):
    names, at, connection = sorted(files), number, None
    while time.monotonic() < end:
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=kAnswerSeconds)
            wanted = names[at % len(names)]
            # One in seven asks for what does not exist.
            missing = at % 7 == 6
            connection.request("GET", "/missing" if missing else "/" + wanted)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            told.append(f"client {number}: {error!r} after {at} requests")
            return
        if answer.status != (404 if missing else 200) or (not missing and data != files[wanted]):
            told.append(f"client {number}: status {answer.status}, {len(data)} bytes for {'/missing' if missing else wanted}")
            return
        at += 1
        if at % kAnswersOfConnection == 0:
            connection.close()
            connection = None
    told.append(at - number)


def load(port, files, seconds):
    """(answers, problem or None) of `kClients` clients that ask for so long."""
    told, end = [], time.monotonic() + seconds
    clients = [threading.Thread(target=_client, args=(number, port, files, end, told)) for number in range(kClients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    problems = [line for line in told if isinstance(line, str)]
    return sum(n for n in told if isinstance(n, int)), "; ".join(problems) or None
