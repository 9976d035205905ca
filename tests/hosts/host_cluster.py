# SPDX-License-Identifier: Apache-2.0
"""Hosts in namespaces of one machine: each has its own network interface, sshd with its own key, host
name, /tmp, /etc/hosts, process ids, and a monotonic clock with an offset of its own.

Nothing of the machine is changed: no named namespace, no account, no file of /etc. All of it hangs
on processes that die with the test (PR_SET_PDEATHSIG), and the kernel removes the rest.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

kHere = os.path.dirname(os.path.abspath(__file__))
kUser = {"name": "dsmhost", "id": 64123, "home": "/srv/home"}
kInstalled = "/mnt"       # where each host has dsm
kShare = "/srv"           # each host's own: home and work folders
kNeeded = ("ip", "mount", "nsenter", "setpriv", "ssh", "ssh-keygen", "unshare", "/usr/sbin/sshd")
kStartSeconds = 20
# What belongs to the hosts, not to a job.
kServices = ("sshd", "munged", "slurmctld", "slurmscriptd", "slurmd")
# Seconds between the monotonic clocks of neighbours: more than any test takes.
kClockStep = 100000
_kPrDeathSignal = 1

_kSshdConfig = """Port 22
HostKey {key}
AuthorizedKeysFile {share}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
MaxStartups 100
LogLevel VERBOSE
"""
_kSshConfig = """Host *
  UserKnownHostsFile {home}/.ssh/known_hosts
  StrictHostKeyChecking yes
  IdentityFile {home}/.ssh/id
"""


def why_not():
    """Why this machine cannot do it, or None."""
    if os.geteuid() != 0:
        return "needs root to make namespaces"
    missing = [name for name in kNeeded if not shutil.which(name)]
    if missing:
        return f"needs {', '.join(missing)}"
    if not os.path.exists("/dev/userfaultfd"):
        return "needs /dev/userfaultfd"
    tried = subprocess.run(["unshare", "-n", "-u", "-m", "-p", "-T", "--monotonic", "1", "--fork", "true"],
                           capture_output=True, check=False)
    return f"cannot make namespaces: {tried.stderr.decode().strip()}" if tried.returncode else None


def _die_with_parent():
    ctypes.CDLL(None).prctl(_kPrDeathSignal, signal.SIGKILL)


def _run(*words, **more):
    done = subprocess.run(words, capture_output=True, check=False, timeout=kStartSeconds, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.decode().strip()}")


class Host:
    def __init__(self, name, address):
        self.name, self.address = name, address
        self.holder = None    # the process of unshare
        self.init = None      # process 1 of the host, as seen from outside

    def enter(self, *argv):
        """The command line that runs `argv` there as the ordinary user."""
        return ["nsenter", "-t", str(self.init), "-n", "-m", "-u", "-p", "-T",
                "setpriv", "--reuid", str(kUser["id"]), "--regid", str(kUser["id"]), "--init-groups", "--inh-caps=-all",
                "env", "-i", "-C", kUser["home"], "HOME=" + kUser["home"], "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", *argv]

    def processes(self):
        """{pid: name} of what runs there, as seen from outside, without its first process and sshd."""
        own, found = os.readlink(f"/proc/{self.init}/ns/pid"), {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != own:
                    continue
                with open(f"/proc/{pid}/stat") as file:
                    name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            if rest.split()[0] not in "ZX":
                found[int(pid)] = name
        found.pop(self.init, None)
        return found

    def of_jobs(self):
        return {pid: name for pid, name in self.processes().items() if name not in kServices}


class Cluster:
    """`count` hosts h1, h2... A context manager: nothing is left when it has been left."""

    def __init__(self, build, count):
        self.build = os.path.abspath(build)
        self.hosts = [Host(f"h{n}", f"10.77.0.{n}") for n in range(1, count + 1)]
        self.root = tempfile.mkdtemp(prefix="dsmh-", dir="/tmp")
        self.switch = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *unused):
        self._stop()

    def host(self, name):
        return next(host for host in self.hosts if host.name == name)

    def share_of(self, host):
        """What `host` sees at kShare, from outside."""
        return os.path.join(self.root, host.name, "share")

    def installation_of(self, host):
        """What `host` sees at kInstalled, from outside."""
        return os.path.join(self.root, host.name, "installed")

    def set_link(self, host, connected):
        """The cable between `host` and the switch; nobody at either end is told."""
        master = ["master", "br0"] if connected else ["nomaster"]
        self._at_switch("ip", "link", "set", f"to-{host.name}", *master)

    def misdirect(self, host, other, wrong):
        """What `host` sends to `other` goes to nobody."""
        words = ["replace", other.address, "lladdr", "02:00:00:00:00:01", "nud", "permanent"] if wrong else ["del", other.address]
        _run("nsenter", "-t", str(host.init), "-n", "ip", "neigh", *words, "dev", "eth0")

    def leftovers(self):
        return {host.name: found for host in self.hosts if (found := host.of_jobs())}

    def wait_for_nothing(self, seconds):
        """What still runs on the hosts after the deadline: nothing when all is well."""
        deadline = time.monotonic() + seconds
        while (left := self.leftovers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def kill_jobs(self):
        for host in self.hosts:
            for pid in host.of_jobs():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def restart_sshd(self, host):
        """Ends every sshd of the host; starts one again."""
        for pid, name in host.processes().items():
            if name == "sshd":
                os.kill(pid, signal.SIGKILL)
        self._sshd(host)

    def _sshd(self, host):
        subprocess.Popen(["nsenter", "-t", str(host.init), "-n", "-m", "-u", "-p", "-T", "/usr/sbin/sshd", "-D", "-f",
                          f"{kShare}/sshd_config"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        self._wait_for_sshd(host)

    def _at_switch(self, *words):
        _run("nsenter", "-t", str(self.switch.pid), "-n", *words)

    def _start(self):
        os.chmod(self.root, 0o755)
        self.switch = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], preexec_fn=_die_with_parent)
        self._wait_until(lambda: os.readlink(f"/proc/{self.switch.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "a network namespace")
        self._at_switch("ip", "link", "add", "br0", "type", "bridge")
        self._at_switch("ip", "link", "set", "br0", "up")
        self._make_keys()
        for number, host in enumerate(self.hosts):
            self._install(host)
            self._boot(host, number)
        for host in self.hosts:
            self._wait_for_sshd(host)

    def _make_keys(self):
        for host in self.hosts:
            share = self.share_of(host)
            os.makedirs(os.path.join(share, "home", ".ssh"))
            os.makedirs(os.path.join(share, "work"))
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(share, "host_key"))
        user_key = os.path.join(self.root, "id")
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", user_key)
        known = "".join(f"{h.name},{h.address} {self._text(self.share_of(h), 'host_key.pub')}" for h in self.hosts)
        for host in self.hosts:
            share = self.share_of(host)
            shutil.copyfile(user_key + ".pub", os.path.join(share, "authorized_keys"))
            ssh = os.path.join(share, "home", ".ssh")
            shutil.copyfile(user_key, os.path.join(ssh, "id"))
            os.chmod(os.path.join(ssh, "id"), 0o600)
            self._write(os.path.join(ssh, "known_hosts"), known)
            self._write(os.path.join(ssh, "config"), _kSshConfig.format(home=kUser["home"]))
            self._write(os.path.join(share, "sshd_config"), _kSshdConfig.format(key=kShare + "/host_key", share=kShare))
            for folder, _, files in os.walk(share):
                for path in [folder, *(os.path.join(folder, name) for name in files)]:
                    if "home" in path or "work" in path:
                        os.chown(path, kUser["id"], kUser["id"])

    def _install(self, host):
        """A copy of its own, so that a test can break one host's installation."""
        for part in ("bin/dsm-launch", "bin/dsmd", "bin/dsm-stat", "lib/dsm/dsm-runtime"):
            target = os.path.join(self.installation_of(host), part)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(self.build, part), target)

    def _boot(self, host, number):
        config = os.path.join(self.root, host.name, "host.json")
        names = "127.0.0.1 localhost\n" + "".join(f"{h.address} {h.name}\n" for h in self.hosts)
        self._write(config, json.dumps({
            "name": host.name, "hosts": names, "user": kUser, "sshd_config": kShare + "/sshd_config",
            "log": os.path.join(kShare, "sshd.log"),
            "folders": [[self.installation_of(host), kInstalled], [self.share_of(host), kShare]]}))
        offset = str(number * kClockStep)
        host.holder = subprocess.Popen(
            ["unshare", "-n", "-u", "-m", "-p", "-T", "--monotonic", offset, "--boottime", offset, "--fork", "--kill-child",
             "--mount-proc", "python3", os.path.join(kHere, "host_init.py"), config],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=_die_with_parent)
        if host.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"host {host.name} did not start")
        with open(f"/proc/{host.holder.pid}/task/{host.holder.pid}/children") as file:
            host.init = int(file.read().split()[0])
        self._at_switch("ip", "link", "add", f"to-{host.name}", "type", "veth", "peer", "name", "eth0", "netns", str(host.init))
        self._at_switch("ip", "link", "set", f"to-{host.name}", "master", "br0", "up")
        for words in (["addr", "add", f"{host.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            _run("nsenter", "-t", str(host.init), "-n", "ip", *words)

    def _wait_for_sshd(self, host):
        probe = ["nsenter", "-t", str(host.init), "-n", "python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 22), 1)"]
        self._wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0, f"sshd of {host.name}")

    @staticmethod
    def _wait_until(condition, what):
        deadline = time.monotonic() + kStartSeconds
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {what} within {kStartSeconds} s")
            time.sleep(0.05)

    @staticmethod
    def _write(path, text):
        with open(path, "w") as file:
            file.write(text)

    @staticmethod
    def _text(*path):
        with open(os.path.join(*path)) as file:
            return file.read()

    def _stop(self):
        for holder in [*(host.holder for host in self.hosts), self.switch]:
            if holder:
                holder.kill()
                holder.wait()
        shutil.rmtree(self.root, ignore_errors=True)
