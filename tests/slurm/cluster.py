"""A real SLURM on this machine, for tests: daemons from Debian packages, on loopback, as root.

Virtual nodes are slurmd processes of their own; their fake GPUs are character devices. All state
lies in one temporary folder and every daemon is a child of this process, so that taking the
cluster down is ending children by their process ids. The configuration alone has to lie in
/etc/slurm, since the Snakemake plugin drops SLURM_CONF inside a job: what was there is put back.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ETC = Path("/etc/slurm")
HOSTS = Path("/etc/hosts")
MARK = "# written by tests/slurm/cluster.py"
BACKUP = ".before-tests"
PROGRAMS = {  # program -> Debian package
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "slurmdbd": "slurmdbd",
    "munged": "munge",
    "mariadbd": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
}
DEVICES = ("null", "zero", "full", "urandom")  # a GPU without a device file makes a node invalid


class Unavailable(Exception):
    """No cluster can be started here, and why."""


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> object:
    """Return the first true value of `condition`, asked for every 0.1 s."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)


def output(*command: str, timeout: float = 60) -> str:
    """Return what a command prints; its error if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())
    return done.stdout.strip()


def succeeds(*command: str, timeout: float = 10) -> bool:
    """Tell whether a command ends with status 0 in time."""
    try:
        return subprocess.run(command, capture_output=True, timeout=timeout).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def install_missing() -> None:
    """Install the packages of missing programs. Raises Unavailable if that is not possible."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if not missing:
        return
    words = f"{', '.join(missing)} not installed, "
    if not shutil.which("apt-get"):
        raise Unavailable(words + "and no apt-get here")
    # Debian starts services on installation where nothing forbids it.
    policy = Path("/usr/sbin/policy-rc.d")
    own_policy = not policy.exists()
    if own_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words_of in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            done = subprocess.run(
                ["apt-get", "--quiet", "-oDPkg::Lock::Timeout=300", *words_of],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise Unavailable(words + f"apt-get {words_of[0]} failed: {done.stderr[-300:]}")
    finally:
        if own_policy:
            policy.unlink()


def free_ports(n: int) -> list[int]:
    """Return `n` ports of 127.0.0.1 that nothing listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _end_with_parent() -> None:
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: even if pytest is killed


class Cluster:
    """Nodes n1 … nN with `cpus` CPUs, `memory` MB and `gpus` fake GPUs each.

    Partition `main` is the default; jobs of `urgent` preempt (requeue) those of `main`.
    Use it in a ``with`` block. Raises Unavailable where it cannot run.
    """

    def __init__(self, nodes: int = 4, cpus: int = 2, memory: int = 200_000, gpus: int = 1) -> None:
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.cpus, self.memory, self.gpus = cpus, memory, gpus
        self.name = f"tests{os.getpid()}"
        self.daemons: dict[str, subprocess.Popen] = {}
        self.folder = Path()
        self._written: list[Path] = []

    def __enter__(self) -> Cluster:
        if os.geteuid() != 0:
            raise Unavailable("a SLURM of our own needs root")
        install_missing()
        self._guard = open("/run/mesodecode-tests-slurm.lock", "w")
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("these tests run in another process") from None
        names = {"slurmctld", "slurmd", "slurmdbd"}
        running = [p for p in psutil.process_iter(["name"]) if p.info["name"] in names]
        if running:
            raise Unavailable(f"a SLURM runs here: {running[0].info['name']}, {running[0].pid}")
        atexit.register(self.down)
        try:
            self._up()
        except BaseException:
            print(self.logs())
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _up(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mesodecode-slurm-", dir="/tmp"))
        for name in ("state", "log", "db", *self.nodes):
            (self.folder / name).mkdir()
        self._hostname_is_loopback()
        self._configure()
        self._start_munge()
        self.start_accounting()
        self.start("slurmctld", "-D")
        wait_for(lambda: "UP" in _quiet("scontrol", "ping"), "slurmctld answers")
        for node in self.nodes:
            self.start_node(node)
        # Jobs that start before the controller has registered would be missing from sacct.
        registered = ("sacctmgr", "-nP", "list", "cluster", "format=cluster,controlport")
        wait_for(lambda: f"{self.name}|{self._ports[0]}" in _quiet(*registered), "registration")
        output("srun", "-N", str(len(self.nodes)), "--mem=10", "true")

    def start(self, name: str, *words: object, **environment: str) -> None:
        """Start a daemon in the foreground, as a child; its output goes to log/{name}.out."""
        program = name.split("@")[0]
        with open(self.folder / "log" / f"{name}.out", "a") as log:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(program) or program, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=os.environ | environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """End a daemon by its process id; SIGKILL where it does not go."""
        process = self.daemons.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start_munge(self) -> None:
        key, sock = self.folder / "munge.key", self._munge
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        own = [f"--{k}={self.folder}/munge.{k}" for k in ("pid-file", "seed-file", "log-file")]
        words = ("--foreground", "--force", "--num-threads=10", f"--key-file={key}")
        self.start("munged", *words, f"--socket={sock}", *own)
        wait_for(lambda: succeeds("munge", "-n", "-S", str(sock)), "munged answers")

    def start_accounting(self) -> None:
        """Start MariaDB, unless it runs, and slurmdbd."""
        sock, data = self.folder / "mariadb.sock", self.folder / "db"
        if "mariadbd" not in self.daemons:
            output(
                *("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}"),
                *("--skip-test-db", "--auth-root-authentication-method=socket"),
                timeout=120,
            )
            self.start(
                *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
                *(f"--socket={sock}", f"--pid-file={self.folder}/mariadbd.pid"),
                *("--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=64M"),
                *("--innodb-log-file-size=32M", "--innodb-lock-wait-timeout=900"),
                "--innodb-flush-log-at-trx-commit=0",
            )
            ask = ("mariadb", "--no-defaults", f"--socket={sock}", "-e", "select 1")
            wait_for(lambda: succeeds(*ask), "MariaDB answers")
        self.start("slurmdbd", "-D", MYSQL_UNIX_PORT=str(sock))
        wait_for(lambda: succeeds("sacctmgr", "-n", "list", "cluster"), "slurmdbd answers")

    def start_node(self, node: str) -> None:
        """Start a node's slurmd, and wait until the node takes jobs."""
        self.start(f"slurmd@{node}", "-D", "-N", node)
        if self.state(node).startswith(("down", "drain")):
            _quiet("scontrol", "update", f"nodename={node}", "state=resume")
        wait_for(lambda: self.state(node) in ("idle", "mixed", "allocated"), f"{node} takes jobs")

    def end_jobs(self, node: str) -> None:
        """Kill all that runs on a node but its slurmd, as if the power had gone."""
        processes, jobs = self.processes(node=node), set()
        gone = contextlib.suppress(psutil.NoSuchProcess)  # ended by itself, or with its parent
        for process in processes:
            with gone:
                jobs.add(process.environ()["SLURM_JOB_ID"])
        for process in psutil.process_iter(["name", "cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if process.info["name"] == "slurmstepd" and any(f"[{job}." in words for job in jobs):
                processes.insert(0, process)
        for process in processes:
            with gone:
                process.kill()

    def state(self, node: str) -> str:
        """Return a node's state, such as "idle", "down*" or "drained"."""
        return _quiet("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T")

    def _hostname_is_loopback(self) -> None:
        """SLURM listens on what the host's own name resolves to."""
        host = socket.gethostname()
        try:
            if socket.gethostbyname(host).startswith("127."):
                return
        except OSError:
            pass
        before = HOSTS.read_text()
        self._hosts = before
        HOSTS.write_text(f"127.0.0.1 {host}\n{before}")  # in place: containers mount the file
        if not socket.gethostbyname(host).startswith("127."):
            raise Unavailable(f"{host} does not resolve to 127.*")

    def _configure(self) -> None:
        self._ports = free_ports(3 + len(self.nodes))
        self._munge = self.folder / "munge.socket"
        devices = "".join(f"Name=gpu File=/dev/{d}\n" for d in DEVICES[: self.gpus])
        self._write("cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        self._write("gres.conf", f"AutoDetect=off\n{devices}")
        self._write("slurm.conf", self._slurm_conf())
        self._write("slurmdbd.conf", self._slurmdbd_conf(), mode=0o600)

    def _slurm_conf(self) -> str:
        host, at = socket.gethostname(), self.folder
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={self.cpus} RealMemory={self.memory} Gres=gpu:{self.gpus} State=UNKNOWN"
            for node, port in zip(self.nodes, self._ports[3:], strict=True)
        )
        every = f"Nodes={','.join(self.nodes)} DefaultTime=60 MaxTime=INFINITE DefMemPerCPU=500"
        return f"""
ClusterName={self.name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={self._ports[0]}
SlurmdPort={self._ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a requeued job starts again after this long (default 120 s)
AuthInfo=socket={self._munge},cred_expire=20
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/%n
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.%n.pid
SlurmctldLogFile={at}/log/slurmctld.log
SlurmdLogFile={at}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
SelectType=select/cons_tres
# jobs go to the least loaded node, so that a fault of one node meets one job
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
SlurmdTimeout=300
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
# linuxproc enforces no memory by itself
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
# with munge this is where its socket is
AccountingStoragePass={self._munge}
AccountingStoragePort={self._ports[2]}
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
{nodes}
PartitionName=main {every} Default=YES PriorityTier=1 PreemptMode=REQUEUE State=UP
PartitionName=urgent {every} PriorityTier=10 PreemptMode=OFF State=UP
"""

    def _slurmdbd_conf(self) -> str:
        host, at = socket.gethostname(), self.folder
        return f"""
AuthType=auth/munge
AuthInfo=socket={self._munge}
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={self._ports[2]}
CommunicationParameters=NoInAddrAny
SlurmUser=root
LogFile={at}/log/slurmdbd.log
PidFile={at}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
"""

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = ETC / name
        ETC.mkdir(exist_ok=True)
        if path.exists() and not path.read_text().startswith(MARK):
            path.rename(path.with_name(name + BACKUP))
        path.unlink(missing_ok=True)
        path.touch(mode=mode)
        path.chmod(mode)
        path.write_text(f"{MARK}\n{text}")
        self._written.append(path)

    def logs(self) -> str:
        """Return the last lines of every log."""
        words = []
        for path in sorted((self.folder / "log").glob("*")) if self.folder.name else []:
            lines = path.read_text(errors="replace").splitlines()[-8:]
            words += [f"== {path.name}", *lines]
        return "\n".join(words)

    def down(self) -> None:
        """Cancel jobs, end the daemons and what jobs left, put /etc back."""
        atexit.unregister(self.down)
        if "slurmctld" in self.daemons:
            try:
                self.cancel_jobs()
            except TimeoutError as error:
                print(error)
        for process in self.processes():
            process.kill()
        for name in ("slurmctld", *(n for n in list(self.daemons) if n.startswith("slurmd@"))):
            self.stop(name)
        for name in ("slurmdbd", "mariadbd", "munged", *list(self.daemons)):
            self.stop(name)
        for path in self._written:
            path.unlink(missing_ok=True)
            backup = path.with_name(path.name + BACKUP)
            if backup.exists():
                backup.rename(path)
        self._written = []
        if hasattr(self, "_hosts"):
            HOSTS.write_text(self._hosts)
            del self._hosts
        if self.folder.name:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()
        self._guard.close()

    def cancel_jobs(self) -> None:
        """Cancel all jobs, and wait until they have ended."""
        succeeds("scancel", "--quiet", "--user=root")
        wait_for(lambda: not _quiet("squeue", "-h"), "cancelled jobs end", 40)

    def processes(self, *words: str, node: str | None = None) -> list[psutil.Process]:
        """Return the processes of jobs whose command line holds all of `words`, maybe of a node.

        By their environment: linuxproc loses sight of a process that outlives its parent.
        """
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
                line = process.cmdline()
            except psutil.Error:
                continue
            if environment.get("SLURM_CLUSTER_NAME") != self.name:
                continue
            if node is not None and environment.get("SLURMD_NODENAME") != node:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found


def _quiet(*command: str) -> str:
    """Return what a command prints; nothing if it fails or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""
