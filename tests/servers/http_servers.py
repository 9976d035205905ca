# SPDX-License-Identifier: Apache-2.0
"""nginx, haproxy and varnishd: each answers for files that the clients know."""

import os

import http_load
from server_run import ServerRun

kFewestAnswers = 20

_kNginx = """
master_process off; daemon off; error_log stderr; pid {folder}/pid;
thread_pool default threads=4;
events {{ worker_connections 256; }}
http {{
  access_log off; aio threads; sendfile off; output_buffers 1 256k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""

_kHaproxy = """
global
  nbthread 4
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  default_backend files
backend files
  balance roundrobin
  server one 127.0.0.1:{one}
  server two 127.0.0.1:{two}
"""


def _write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    return path


def _drive(run, port, files, seconds, distributed=True):
    if run.started(lambda: http_load.answers(port)):
        count, problem = http_load.load(port, files, seconds)
        run.note = f"{count} answers in {seconds} s"
        run.fail(problem or (None if count >= kFewestAnswers else f"only {count} answers"))
        run.stop(distributed)
    return run.problem, run.note


def nginx(launcher, nodes, seconds, folder):
    files, port = http_load.contents(), http_load.free_port()
    http_load.write_files(files, os.path.join(folder, "www"))
    config = _write(folder, "nginx.conf", _kNginx.format(folder=folder, port=port))
    with ServerRun(launcher, nodes, ["/usr/sbin/nginx", "-c", config, "-p", folder]) as run:
        return _drive(run, port, files, seconds)


def haproxy(launcher, nodes, seconds, folder):
    files, port = http_load.contents(), http_load.free_port()
    with http_load.Backend(files) as one, http_load.Backend(files) as two:
        config = _write(folder, "haproxy.cfg", _kHaproxy.format(port=port, one=one.port, two=two.port))
        # Without a master process it dies of the signal, alone as well.
        with ServerRun(launcher, nodes, ["/usr/sbin/haproxy", "-f", config, "-db"], status=(143,)) as run:
            return _drive(run, port, files, seconds)


def varnishd(launcher, nodes, seconds, folder):
    """Its threads are in a child that does not exec, so nothing of it is distributed: it must come to no harm."""
    files, port = http_load.contents(), http_load.free_port()
    with http_load.Backend(files) as backend:
        argv = ["/usr/sbin/varnishd", "-F", "-j", "none", "-n", os.path.join(folder, "work"), "-a", f"127.0.0.1:{port}",
                "-b", f"127.0.0.1:{backend.port}", "-s", "malloc,64m", "-p", "thread_pool_min=8"]
        with ServerRun(launcher, nodes, argv) as run:
            return _drive(run, port, files, seconds, distributed=False)
