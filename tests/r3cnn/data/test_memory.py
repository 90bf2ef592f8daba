"""What the ranks of a training hold of a large annotation file, as PSS: shared pages count once in all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from make_big_coco import dataset_settings

from r3cnn.core.files import sha256_of

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "make_big_coco.py"
SIZE = ["--images", "12000", "--objects", "88000"]  # about 50 MB, a tenth of COCO
MB = 2**20
# A rank: opens the data set, reads every entry, says so, and measures once all others have read theirs.
RANK = """
import json, re, sys
from pathlib import Path
from r3cnn.data import loading
settings, checksum = json.loads(sys.argv[1])
dataset = loading.build_dataset({"dataset": settings}, checksum)
for i in range(len(dataset)):
    dataset.get_data_info(i)
print("ready", flush=True)
sys.stdin.readline()
held = {"pss": 0, "dirty": 0}
inside = False
for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
        inside = line.endswith("/bytes.npy")
    elif inside and line.startswith(("Pss:", "Private_Dirty:")):
        held["pss" if line.startswith("Pss:") else "dirty"] += int(line.split()[1]) * 1024
print(json.dumps(held), flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def annotations(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("large") / "instances_train2017.json"
    subprocess.run([sys.executable, SCRIPT, out, *SIZE], check=True, timeout=120)
    assert out.stat().st_size > 40 * MB
    return out


def held_by(ranks: int, annotations: Path, monkeypatch, cache: Path) -> list[dict[str, int]]:
    """Bytes of the mapped list that each of some ranks holds while all of them are at work."""
    monkeypatch.setenv("R3CNN_CACHE", str(cache))
    settings = dataset_settings(annotations)
    command = [sys.executable, "-c", RANK, json.dumps([settings, sha256_of(annotations)])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(ranks)]
    try:
        for process in started:  # mmdet has words of its own as it starts
            assert any(line == "ready\n" for line in process.stdout), process.wait()
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.parametrize("ranks", [2, 4])
def test_all_ranks_together_hold_the_list_once(ranks, annotations, monkeypatch, tmp_path):
    held = held_by(ranks, annotations, monkeypatch, tmp_path / "cache")
    (listed,) = (tmp_path / "cache").glob("*/bytes.npy")
    size = listed.stat().st_size
    assert size > 30 * MB
    together = sum(one["pss"] for one in held)
    print(f"{ranks} ranks hold {together / MB:.1f} MB of {size / MB:.1f} MB")
    # every page was read, so all of it is held; once, whatever the number of ranks
    assert 0.9 * size < together < 1.1 * size
    assert [one["dirty"] for one in held] == [0] * ranks
