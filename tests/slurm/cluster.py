"""A two-node Slurm with accounting on this machine, for tests: started as root, stopped by its pids.

Everything lies under one temporary folder; outside of it only the symlink /etc/slurm/slurm.conf, while
the cluster is up. By hand: python -m tests.slurm.cluster FOLDER (until Ctrl-C).
"""

import contextlib
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")
PROGRAMS = (
    "slurmctld", "slurmd", "slurmdbd", "sbatch", "srun", "sacct", "munged", "mariadbd",
    "mariadb-install-db",
)  # fmt: skip
PACKAGES = (
    "slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins slurm-wlm-mysql-plugin munge "
    "mariadb-server"
)
NODES = {"node1": "first", "node2": "second"}  # and the feature of each
GPUS = 4
CPUS = 8  # of each node, however many there are
SECONDS_TO_START = 60

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=17000
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={d}/munge/munge.sock,cred_expire=10
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SwitchType=switch/none
MpiDefault=none
PluginDir={plugins}
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,requeue_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=17003
AccountingStoragePass={d}/munge/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits,qos
PreemptType=preempt/qos
PreemptMode=REQUEUE
JobRequeue=1
OverTimeLimit=1
AccountingStoreFlags=job_comment
KillWait=30
MinJobAge=300
LaunchParameters=enable_nss_slurm
MailProg=/bin/true
SlurmctldPidFile={d}/slurmctld.pid
SlurmdPidFile={d}/slurmd-%n.pid
StateSaveLocation={d}/state
SlurmdSpoolDir={d}/spool-%n
SlurmctldLogFile={d}/slurmctld.log
SlurmdLogFile={d}/slurmd-%n.log
SlurmdParameters=config_overrides
{nodes}
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""
NODE_CONF = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
    "RealMemory=64000 Feature={feature} Gres=gpu:fake:{gpus} State=UNKNOWN"
)
DBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={d}/munge/munge.sock
DbdAddr=127.0.0.1
DbdHost=localhost
DbdPort=17003
SlurmUser=root
PluginDir={plugins}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile={d}/slurmdbd.log
PidFile={d}/slurmdbd.pid
"""


class Unavailable(Exception):
    """Why no cluster can be started on this machine."""


class Cluster:
    """A running cluster: its folder, and the commands to ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[tuple[str, subprocess.Popen]] = []

    def ask(self, *command: str, check: bool = True) -> str:
        """What a Slurm command prints."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Without Slurm's controller and its accounting, until the block ends."""
        down = ("slurmctld", "slurmdbd")
        running = dict(self.daemons)
        for name in down:
            _end(running[name])
        try:
            yield
        finally:
            self.daemons = [daemon for daemon in self.daemons if daemon[0] not in down]
            _start_accounting(self)
            _start_controller(self)
            _wait("the controller", lambda: _succeeds("squeue"))

    def sacct(self, *jobs: str) -> str:
        """The accounting's lines of some jobs, every round of a requeued one (-D)."""
        fields = "JobID%-12,State%-20,Start,End,Elapsed,ExitCode,NodeList,QOS%-8,Comment%-40"
        return self.ask("sacct", "-X", "-D", "-j", ",".join(jobs), f"--format={fields}")


def require() -> None:
    """Raise Unavailable with the reason where no cluster can be started."""
    if os.geteuid() != 0:
        raise Unavailable("a Slurm for tests can be started by root only")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        raise Unavailable(
            f"no {', '.join(missing)}: on Debian, apt-get install --no-install-recommends {PACKAGES}"
        )
    if CONF.exists():
        raise Unavailable(f"{CONF} is there already: this machine belongs to another cluster")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster in an empty folder, until the block ends. Raises Unavailable."""
    require()
    cluster = Cluster(folder)
    try:
        try:
            _start(cluster)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"Slurm did not start: {error}") from error
        yield cluster
    finally:
        _stop(cluster)


def _start(cluster: Cluster) -> None:
    d = cluster.folder
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for name in ("munge", "state", "mysql", *(f"spool-{node}" for node in NODES)):
        (d / name).mkdir(parents=True)
    _write_configs(d)
    CONF.parent.mkdir(exist_ok=True)
    CONF.unlink(missing_ok=True)  # what a cluster that was killed left, which leads nowhere
    CONF.symlink_to(d / "slurm.conf")
    _start_munge(cluster)
    _start_database(cluster)
    _start_accounting(cluster)
    for words in (
        "add cluster test",
        "add account lab cluster=test",
        "add user root account=lab defaultaccount=lab",
        "modify qos normal set Priority=1",
        "add qos high Priority=1000 Preempt=normal PreemptMode=requeue",
        "modify user root set qos=normal,high defaultqos=normal",
    ):
        # sacctmgr ends with 1 where there was nothing to change
        subprocess.run(["sacctmgr", "-i", *words.split()], capture_output=True, timeout=30)
    _start_controller(cluster)
    for node in NODES:
        _spawn(cluster, f"slurmd-{node}", "slurmd", "-D", "-N", node)
    _wait("the nodes", lambda: _states() == ["idle"] * len(NODES))
    _wait("accounting", lambda: "high" in cluster.ask("sacctmgr", "-n", "show", "qos"))


def _write_configs(d: Path) -> None:
    plugins = next(Path("/usr/lib").glob("*/slurm-wlm"), Path("/usr/lib/slurm"))
    host = os.uname().nodename
    nodes = "\n".join(
        NODE_CONF.format(name=name, port=17001 + i * 10, cpus=CPUS, gpus=GPUS, feature=feature)
        for i, (name, feature) in enumerate(NODES.items())
    )
    (d / "slurm.conf").write_text(SLURM_CONF.format(d=d, plugins=plugins, host=host, nodes=nodes))
    (d / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # an empty one is an error
    dbd = d / "slurmdbd.conf"
    dbd.write_text(DBD_CONF.format(d=d, plugins=plugins))
    dbd.chmod(0o600)
    lines = []
    for name in NODES:
        (d / f"dev-{name}").mkdir()
        for i in range(GPUS):  # clones of /dev/null
            os.mknod(d / f"dev-{name}" / f"nvidia{i}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        lines.append(f"NodeName={name} Name=gpu Type=fake File={d}/dev-{name}/nvidia[0-{GPUS - 1}]")
    (d / "gres.conf").write_text("\n".join(lines) + "\n")


def _start_munge(cluster: Cluster) -> None:
    folder = cluster.folder / "munge"
    key, socket = folder / "munge.key", folder / "munge.sock"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    files = {"key-file": key, "socket": socket, "log-file": folder / "munged.log"}
    files |= {"pid-file": folder / "munged.pid", "seed-file": folder / "munged.seed"}
    options = [f"--{name}={path}" for name, path in files.items()]
    _spawn(cluster, "munged", "munged", "--foreground", "--force", *options)
    _wait("munged", socket.exists)


def _start_accounting(cluster: Cluster) -> None:
    socket = str(cluster.folder / "mysql.sock")
    _spawn(cluster, "slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=socket)
    _wait("slurmdbd", lambda: _succeeds("sacctmgr", "-n", "list", "cluster"))


def _start_controller(cluster: Cluster) -> None:
    _spawn(cluster, "slurmctld", "slurmctld", "-D")


def _start_database(cluster: Cluster) -> None:
    d = cluster.folder
    common = ["--no-defaults", "--user=root", f"--datadir={d}/mysql"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal"]
    subprocess.run(install, capture_output=True, check=True, timeout=SECONDS_TO_START)
    socket = f"--socket={d}/mysql.sock"
    files = [socket, f"--pid-file={d}/mysql.pid", "--skip-networking=1"]
    small = ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"]
    _spawn(cluster, "mariadbd", "mariadbd", *common, *files, *small)
    statements = (
        "create database slurm_acct_db; create user slurm@localhost identified by 'slurm'; "
        "grant all on slurm_acct_db.* to slurm@localhost"
    )
    client = ["mariadb", "--no-defaults", socket, "--user=root"]
    _wait("mariadbd", lambda: _succeeds(*client, "-e", "select 1"))
    subprocess.run([*client, "-e", statements], check=True, timeout=30)


def _spawn(cluster: Cluster, name: str, *command: str, **variables: str) -> None:
    """Start a daemon in a session of its own, so that Ctrl-C at the tests does not end it first."""
    with open(cluster.folder / f"{name}.out", "ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"SLURM_CONF": str(cluster.folder / "slurm.conf")} | variables,
        )
    cluster.daemons.append((name, process))


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def _states() -> list[str]:
    ask = ["sinfo", "-h", "-N", "-o", "%t"]
    return subprocess.run(
        ask, capture_output=True, text=True, timeout=30, check=False
    ).stdout.split()


def _wait(what: str, ready) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} not ready after {SECONDS_TO_START} s")
        time.sleep(0.3)


def _stop(cluster: Cluster) -> None:
    """Cancel what runs, then end the daemons in reverse order."""
    if cluster.daemons and _succeeds("scancel", "--user=root"):
        with contextlib.suppress(RuntimeError):
            _wait("the last jobs", lambda: not cluster.ask("squeue", "-h", check=False))
    for _, process in reversed(cluster.daemons):
        _end(process)
    if CONF.is_symlink() and CONF.readlink() == cluster.folder / "slurm.conf":
        CONF.unlink()


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    with running(Path(sys.argv[1])):
        print("up; Ctrl-C stops it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            signal.pause()
