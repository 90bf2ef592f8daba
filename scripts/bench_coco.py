"""Two rows of the table of `make bench` at the size of COCO: a rank's start, and the command `score`.

python scripts/bench_coco.py coco-start --out bench.json
python scripts/bench_coco.py score-command --out bench.json

Both make up their data (490 MB and 60 MB) in a temporary folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_workflow import add
from make_big_coco import dataset_settings

from r3cnn.core.files import sha256_of, write_json
from r3cnn.core.layout import CHECKOUT as REPO
from r3cnn.core.records import FACTS_KEY

IMAGES, OBJECTS = 118_287, 860_001  # of train2017
GIGA = 2**30
SCORED = {"images": 5000, "objects": 36_000, "detections": 100}
SCORE_SECONDS = 90  # what one L_e may take
# A rank builds its data set as a training does and says what that cost. Without a checksum mmdet parses the file.
RANK = """
import json, sys, time
import psutil
from r3cnn.data import loading
settings, checksum = json.loads(sys.argv[1])
before, busy = psutil.Process().memory_full_info().uss, time.process_time()
dataset = loading.build_dataset({"dataset": settings}, checksum)
entry = dataset.get_data_info(len(dataset) - 1)
busy = time.process_time() - busy
held = psutil.Process().memory_full_info().uss - before
print("\\n" + json.dumps({"images": len(dataset), "last": entry["img_id"], "cpu": busy, "held": held}))
"""


def coco_start(images: int = IMAGES, objects: int = OBJECTS, rounds: int = 3) -> dict:
    """Processor seconds of a rank that maps the serialised list over those of one that parses the file."""
    times: dict[str, dict[str, list[float]]] = {}
    held: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "instances_train2017.json")
        size = ["--images", str(images), "--objects", str(objects)]
        maker = [sys.executable, str(REPO / "scripts" / "make_big_coco.py"), str(file), *size]
        subprocess.run(maker, check=True)
        cache, checksum = Path(folder, "cache"), sha256_of(file)
        begin = time.perf_counter()
        first = rank(file, checksum, cache)
        filled = time.perf_counter() - begin
        for _ in range(rounds):
            for name, given in (("mapped", checksum), ("parsed", None)):
                found = rank(file, given, cache)
                if (found["images"], found["last"]) != (first["images"], first["last"]):
                    raise SystemExit(
                        f"error: {name}: expected {first}, found {found}: other images"
                    )
                times.setdefault(name, {"seconds": []})["seconds"].append(round(found["cpu"], 3))
                held[name] = found["held"] / GIGA
    mapped, parsed = (statistics.median(of["seconds"]) for of in times.values())
    return {
        "what": f"processor seconds until a rank has {images} images of {objects} objects, from the cache",
        "against": "each rank parses the file",
        "aim": 0.1,
        "ratio": mapped / parsed,
        "seconds_of_the_first": filled,
        "gigabytes_mapped": held["mapped"],
        "gigabytes_parsed": held["parsed"],
        "times": times,
    }


def rank(file: Path, checksum: str | None, cache: Path) -> dict:
    """What the start of one rank cost: processor seconds, and bytes that it alone holds."""
    command = [sys.executable, "-c", RANK, json.dumps([dataset_settings(file), checksum])]
    env = {**os.environ, "R3CNN_CACHE": str(cache), "PYTHONPATH": str(REPO)}
    said = subprocess.run(
        command, cwd=REPO, env=env, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return json.loads(said.stdout.splitlines()[-1])


def score_command(rounds: int = 1, **size: int) -> dict:
    """Wall seconds of `r3cnn score` at scale paper, with all that it checks and writes, over what it may take."""
    import pyarrow.parquet as pq

    from r3cnn.bench.made_up import scene

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        truth, table = scene(**(size or SCORED), seed=0)
        for image in truth["images"]:
            image["file_name"] = f"{image['id']:012}.jpg"
        annotations = Path(folder, "instances_val2017.json")
        write_json(annotations, truth)
        facts = {"training": "made_up", "seed": 0, "loops": [1], "source_sha256": ""}
        told = {FACTS_KEY: json.dumps(facts | {"scale": "paper"})}
        predictions = Path(folder, "made_up.parquet")
        pq.write_table(table.replace_schema_metadata(told), predictions)
        command = [sys.executable, "-m", "r3cnn", "score", "--loops", "1"]
        command += ["--predictions", str(predictions), "--annotations", str(annotations)]
        command += ["--out", str(Path(folder, "loops1.json"))]
        for _ in range(rounds):
            begin = time.perf_counter()
            subprocess.run(command, cwd=REPO, check=True)
            seconds.append(round(time.perf_counter() - begin, 3))
    return {
        "what": "`r3cnn score` of {images} images, {objects} objects, {detections} detections an image".format(
            **(size or SCORED)
        ),
        "against": f"{SCORE_SECONDS} s",
        "aim": 1.0,
        "ratio": statistics.median(seconds) / SCORE_SECONDS,
        "times": {"score": {"seconds": seconds}},
    }


ROWS = {"coco-start": coco_start, "score-command": score_command}


def main(arguments: list[str] | None = None) -> None:
    """Measure one of the rows and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=list(ROWS))
    parser.add_argument("--out", type=Path, required=True, help="the file of `r3cnn bench`")
    asked = parser.parse_args(arguments)
    add(asked.out, asked.row, ROWS[asked.row]())


if __name__ == "__main__":
    main()
