"""Start the processes' group: under torchrun or srun, on GPUs (NCCL) or CPUs (gloo)."""

import os
import re
import subprocess

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
    if torch.cuda.is_available():
        # where Slurm shows each process its own GPU only, that is number 0 for all
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def _slurm_variables() -> dict[str, str]:
    """torchrun's variables from those that srun gives each task."""
    names = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
    found = {ours: os.environ[slurm] for ours, slurm in names.items() if slurm in os.environ}
    if "SLURM_STEP_NODELIST" in os.environ:
        first = _scontrol("hostnames", os.environ["SLURM_STEP_NODELIST"]).split()[0]
        # Slurm's own address of the node: its name need not be known to the network
        address = re.search(r"\bNodeAddr=(\S+)", _scontrol("node", first))
        found["MASTER_ADDR"] = address[1] if address else first
        # every job of a node talks on a port of its own
        job, step = (int(os.environ.get(f"SLURM_{name}_ID", 0)) for name in ("JOB", "STEP"))
        found["MASTER_PORT"] = str(FIRST_PORT + (job * 10 + step) % PORTS)
    return found


def _scontrol(*words: str) -> str:
    command = ["scontrol", "show", *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
