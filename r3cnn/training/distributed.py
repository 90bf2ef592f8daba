"""Start the processes' group: under torchrun or srun, on GPUs (NCCL) or CPUs (gloo)."""

import os
import re
import socket
import subprocess
from collections.abc import Sequence

import psutil
import torch
import torch.distributed

from ..core.errors import UserError

FIRST_PORT, PORTS = 20_000, 10_000


def start(launcher: str) -> None:
    """Join the group of all processes of this training. `none`: there is one process and no group.

    Each process takes the GPU of its local rank. Raises UserError where the launcher's variables are missing.
    """
    if launcher == "none":
        return
    if launcher == "slurm":
        os.environ.update(_slurm_variables())
    missing = [name for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK") if name not in os.environ]
    if missing:
        raise UserError(
            f"--launcher {launcher}: {', '.join(missing)} not set; start it under "
            f"{'srun' if launcher == 'slurm' else 'torchrun'}, or use --launcher none"
        )
    if "GLOO_SOCKET_IFNAME" not in os.environ:
        # gloo would take the interface of the host's own name, which may lead nowhere
        interface = interface_towards([os.environ.get("MASTER_ADDR", ""), *_nodes()])
        if interface:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
    if not torch.cuda.is_available():
        torch.distributed.init_process_group("gloo")
        return
    # where Slurm shows each process its own GPU only, that is number 0 for all
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl", device_id=device)


def interface_towards(hosts: Sequence[str]) -> str | None:
    """The network interface that packets to these hosts leave by; None if none is known.

    The loopback only where no host is reached by another: a host's own name often leads there.
    """
    found = [_interface_of(address) for host in hosts if (address := _own_address_towards(host))]
    known = [name for name in found if name]
    return next((name for name in known if name != "lo"), known[0] if known else None)


def _own_address_towards(host: str) -> str | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # of datagrams: nothing is sent
            return probe.getsockname()[0]
    except OSError:
        return None


def _interface_of(address: str) -> str | None:
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address.partition("%")[0] == address for one in addresses):
            return name
    return None


def _nodes() -> list[str]:
    """The names of the nodes of a Slurm step; none elsewhere."""
    if "SLURM_STEP_NODELIST" not in os.environ:
        return []
    return _scontrol("hostnames", os.environ["SLURM_STEP_NODELIST"]).split()


def _slurm_variables() -> dict[str, str]:
    """torchrun's variables from those that srun gives each task; an address or port that is set stays."""
    names = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
    found = {ours: os.environ[slurm] for ours, slurm in names.items() if slurm in os.environ}
    if nodes := _nodes():
        first = nodes[0]
        # Slurm's own address of the node: its name need not be known to the network
        address = re.search(r"\bNodeAddr=(\S+)", _scontrol("node", first))
        found["MASTER_ADDR"] = address[1] if address else first
        # every job of a node talks on a port of its own
        job, step = (int(os.environ.get(f"SLURM_{name}_ID", 0)) for name in ("JOB", "STEP"))
        found["MASTER_PORT"] = str(FIRST_PORT + (job * 10 + step) % PORTS)
    chosen = {name for name in ("MASTER_ADDR", "MASTER_PORT") if name in os.environ}
    return {name: value for name, value in found.items() if name not in chosen}


def _scontrol(*words: str) -> str:
    command = ["scontrol", "show", *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
