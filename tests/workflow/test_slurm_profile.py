"""slurm/config.yaml: what follows from the few settings that a user fills in."""

import re
from pathlib import Path

import pytest
from snakemake.profiles import ProfileConfigFileParser

from tests.workflow.trees import ROOT

PROFILE = ROOT / "slurm" / "config.yaml"


def profile(folder: Path, **settings: object) -> dict[str, str]:
    """The profile's options with these settings: {"train:nodes": "2", "slurm_account": "'lab'", ...}."""
    text = PROFILE.read_text()
    for name, value in settings.items():
        text, found = re.subn(rf"^  {name}: \S+", f"  {name}: {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    (folder / "config.yaml").write_text(text)
    with open(folder / "config.yaml") as file:
        options = ProfileConfigFileParser().parse(file)
    lists = ("default-resources", "set-resources", "set-threads")
    pairs = [pair.partition("=")[::2] for name in lists for pair in options[name]]
    return dict(pairs) | {k: v for k, v in options.items() if k not in lists}


def test_the_papers_eight_gpus(tmp_path):
    found = profile(tmp_path)
    assert found["train:nodes"] == "2"
    assert found["train:tasks_per_node"] == "4"
    assert found["train:gres"] == "'gpu:4'"
    assert found["predict:gres"] == found["measure:gres"] == "'gpu:1'"
    assert found["train:launch"] == "'bash on_slurm.sh 2 4 4 4'"
    assert found["train:mem_mb"] == "64000"
    assert found["train:slurm_extra"] == "'--signal=USR1@600 --open-mode=append'"
    assert (found["retries"], found["slurm-status-command"]) == ("0", "squeue")
    # Nothing is asked of the cluster that was not filled in.
    for name in ("slurm_account", "slurm_partition", "train:slurm_partition", "train:constraint"):
        assert found[name] == "None"


def test_what_is_filled_in_reaches_the_jobs(tmp_path):
    names = {"account": "lab", "partition": "gpu", "cpu_partition": "short", "gpu_type": "a100"}
    found = profile(tmp_path, **names, constraint='"x&y"', nodes=1, gpus=8, minutes=60)
    assert (found["slurm_account"], found["slurm_partition"]) == ("'lab'", "'short'")
    for rule in ("train", "predict", "measure"):
        assert found[f"{rule}:slurm_partition"] == "'gpu'"
        assert found[f"{rule}:constraint"] == "'x&y'"
    assert (found["train:gres"], found["predict:gres"]) == ("'gpu:a100:8'", "'gpu:a100:1'")
    assert found["train:runtime"] == "60"


@pytest.mark.parametrize(("gpus", "gres"), [(0, "None"), (1, "'gpu:1'")])
def test_one_process_a_node(tmp_path, gpus, gres):
    found = profile(tmp_path, gpus=gpus)
    assert found["train:gres"] == gres
    assert found["train:launch"].endswith(f"on_slurm.sh 2 1 4 {gpus}'")
    assert found["train:tasks_per_node"] == "2", "the plugin refuses fewer"


def test_an_outage_of_two_hours_is_survived(tmp_path):
    found = profile(tmp_path)
    attempts, rate = (
        float(found[name]) for name in ("slurm-status-attempts", "max-status-checks-per-second")
    )
    assert attempts / rate >= 7200


@pytest.mark.parametrize(("cpus", "each"), [(1, 1), (4, 2), (9, 4)])
def test_one_task_gets_the_cpus_of_the_two_that_are_asked_for(tmp_path, cpus, each):
    found = profile(tmp_path, cpus=cpus)
    for rule in ("predict", "measure"):
        assert (found[rule], found[f"{rule}:tasks_per_node"]) == (str(each), "2")
        assert found[f"{rule}:launch"] == f"'bash on_slurm.sh 1 1 {2 * each} 1'"


def test_what_runs_on_one_task_hears_of_its_time_limit(tmp_path):
    found = profile(tmp_path)
    for rule in ("predict", "measure", "score"):
        assert "--signal=USR1@" in found[f"{rule}:slurm_extra"]
        assert (found[f"{rule}:mpi"], found[f"{rule}:nodes"]) == ("srun", "1")


def test_a_prediction_on_several_gpus(tmp_path):
    found = profile(tmp_path, predict_gpus=4)
    assert found["predict:launch"] == "'bash on_slurm.sh 1 4 4 4'"
    assert (found["predict:tasks_per_node"], found["predict:gres"]) == ("4", "'gpu:4'")
    assert (found["predict"], found["predict:mem_mb"]) == ("4", "64000")
    assert (found["measure:gres"], found["measure:tasks_per_node"]) == ("'gpu:1'", "2")
