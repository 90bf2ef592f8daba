"""Which address, port and network interface the processes of a training meet at."""

from types import SimpleNamespace

import pytest
import torch

from r3cnn.training import distributed

SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "2",
}
SHOWN = {
    ("hostnames", "node[1-2]"): "node1\nnode2\n",
    ("node", "node1"): "NodeName=node1 NodeAddr=10.0.0.1 Port=1",
}
# Where packets to a host come from, on node1, whose own name leads to the loopback.
SOURCES = {"node1": "127.0.0.1", "10.0.0.1": "10.0.0.1", "node2": "10.0.0.1", "ib1": "10.9.0.1"}
INTERFACES = {"lo": "127.0.0.1", "eth0": "192.168.0.7", "eth1": "10.0.0.1", "ib0": "10.9.0.1"}


@pytest.fixture
def started(monkeypatch):
    """What `start` of two nodes leaves in the environment, and how it makes the group."""
    for name in ("MASTER_ADDR", "MASTER_PORT", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        # set first, so that what `start` sets is taken back too
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "_scontrol", lambda *words: SHOWN[words])
    monkeypatch.setattr(distributed, "_own_address_towards", SOURCES.get)
    found = {name: [SimpleNamespace(address=one)] for name, one in INTERFACES.items()}
    monkeypatch.setattr(distributed.psutil, "net_if_addrs", lambda: found)
    calls = []
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda *names, **more: calls.append((names, more))
    )

    def start() -> tuple[dict, list]:
        distributed.start("slurm")
        return dict(distributed.os.environ), calls

    return start


def test_the_first_nodes_address_a_port_of_the_job_and_the_route_to_the_others(started):
    found, calls = started()
    assert (found["MASTER_ADDR"], found["MASTER_PORT"]) == ("10.0.0.1", "22342")
    assert (found["RANK"], found["WORLD_SIZE"], found["LOCAL_RANK"]) == ("3", "8", "1")
    assert found["GLOO_SOCKET_IFNAME"] == "eth1"
    assert "NCCL_SOCKET_IFNAME" not in found  # NCCL finds the fast one itself
    assert calls == [(("gloo",), {})]


def test_a_name_that_leads_to_the_loopback_is_not_the_way_to_other_nodes(started, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "node1")
    assert started()[0]["GLOO_SOCKET_IFNAME"] == "eth1"


def test_what_is_set_already_stays(started, monkeypatch):
    chosen = {"MASTER_ADDR": "ib1", "MASTER_PORT": "4711", "NCCL_SOCKET_IFNAME": "ib"}
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    found, _ = started()
    assert chosen.items() <= found.items()
    assert found["GLOO_SOCKET_IFNAME"] == "ib0"
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0")
    assert started()[0]["GLOO_SOCKET_IFNAME"] == "eth0"


def test_nccl_is_told_the_device(started, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    _, calls = started()
    assert calls == [(("nccl",), {"device_id": torch.device("cuda", 1)})]
    assert chosen == [torch.device("cuda", 1)]


def test_one_machine_alone_meets_on_its_loopback():
    assert distributed.interface_towards(["127.0.0.1"]) == "lo"
    assert distributed.interface_towards(["no.such.host.invalid"]) is None
