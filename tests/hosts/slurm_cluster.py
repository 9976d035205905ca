# SPDX-License-Identifier: Apache-2.0
"""Slurm on the simulated hosts: munged and slurmd on each, slurmctld on the first."""

import os
import secrets
import shutil
import subprocess
import time

import host_cluster

kNeeded = ("munged", "salloc", "sbatch", "sinfo", "slurmctld", "slurmd", "srun")
kStartSeconds = 30
kConfigPath = host_cluster.kShare + "/slurm.conf"

_kConfig = """ClusterName=dsmtest
SlurmctldHost={first}
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/run/slurmctld
SlurmdSpoolDir=/run/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName=h[1-{count}] CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_kMunge = ("mkdir -p /run/munge /run/slurmctld /run/slurmd && chmod 755 /run/munge && munged --force "
           "--key-file={share}/munge.key --socket=/run/munge/munge.socket.2 --pid-file=/run/munge/pid "
           "--log-file=/run/munge/log --seed-file=/run/munge/seed")


def why_not():
    missing = [name for name in kNeeded if not shutil.which(name)]
    return f"needs {', '.join(missing)}" if missing else None


def start(cluster):
    """Raises RuntimeError when the cluster does not come up."""
    key = secrets.token_bytes(128)
    first = cluster.hosts[0]
    for host in cluster.hosts:
        share = cluster.share_of(host)
        with open(os.path.join(share, "slurm.conf"), "w") as file:
            file.write(_kConfig.format(first=first.name, count=len(cluster.hosts)))
        with open(os.path.join(share, "munge.key"), "wb") as file:
            os.chmod(file.name, 0o600)
            file.write(key)
        _as_root(host, "sh", "-c", _kMunge.format(share=host_cluster.kShare))
    _as_root(first, "slurmctld", "-L", host_cluster.kShare + "/slurmctld.log")
    for host in cluster.hosts:
        _as_root(host, "slurmd", "-N", host.name, "-L", host_cluster.kShare + "/slurmd.log")
    deadline, idle = time.monotonic() + kStartSeconds, 0
    while idle != len(cluster.hosts):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{idle} of {len(cluster.hosts)} Slurm nodes are idle after {kStartSeconds} s")
        time.sleep(0.2)
        found = _as_root(first, "sinfo", "-h", "-t", "idle", "-o", "%D").split()
        idle = int(found[0]) if found else 0


def _as_root(host, *words):
    command = ["nsenter", "-t", str(host.init), "-n", "-m", "-u", "-p", "-T", "env", "SLURM_CONF=" + kConfigPath, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=kStartSeconds, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} on {host.name}: {done.stderr.decode().strip()}")
    return done.stdout.decode()
