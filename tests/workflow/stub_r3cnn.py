"""Stands in for `python -m r3cnn`: takes its options, writes empty results, notes each call."""

import argparse
import json
import os
import sys
from pathlib import Path

OPTIONS = {
    "data shapes": ["scale", "out"],
    "data check": ["data", "out"],
    "resolve": ["training", "catalogue", "scale", "seed", "data", "out"],
    "train": ["config", "out", "state"],
    "weights": ["config", "source", "sha256", "out"],
    "reuse": ["config", "trained", "out"],
    "predict": ["config", "checkpoint", "loops", "out", "state"],
    "score": ["predictions", "loops", "annotations", "out"],
    "measure": ["training", "catalogue", "config", "checkpoint", "loops", "out"],
}


def parse(words: list[str]) -> tuple[str, argparse.Namespace]:
    """The command and its options; every option of the workflow's is required."""
    length = 2 if words[0] == "data" else 1
    command = " ".join(words[:length])
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in OPTIONS[command]:
        many = "+" if option == "loops" and command != "score" else None
        parser.add_argument(f"--{option}", required=True, nargs=many)
    if command == "measure":
        parser.add_argument("--beside-others", action="store_true")
    if command == "data check":
        parser.add_argument("--val-only", action="store_true")
    return command, parser.parse_args(words[length:])


def main() -> None:
    """Check that inputs are there, then write the outputs that the contract names."""
    if sys.argv[1] == "doctor":
        findings = Path("findings.txt").read_text()
        print(findings)
        sys.exit("BROKEN" in findings)
    if sys.argv[1] == "resolve" and "--training" not in sys.argv:  # the check of a dry run
        return
    command, options = parse(sys.argv[1:])
    for name in ("config", "checkpoint", "predictions", "catalogue", "scale"):
        path = getattr(options, name, None)
        if path is not None and not Path(path).is_file():
            sys.exit(f"{command}: no file {path}")
    out = Path(options.out)
    if command == "data shapes":
        for split in ("train", "val"):
            (out / f"{split}2017").mkdir(parents=True, exist_ok=True)
            (out / "annotations").mkdir(exist_ok=True)
            (out / "annotations" / f"instances_{split}2017.json").write_text("{}")
    elif command == "data check":
        wanted = f"annotations/instances_{'val' if options.val_only else 'train'}2017.json"
        if not Path(options.data, wanted).is_file():
            sys.exit(f"{options.data}: no {wanted}")
        out.write_text(json.dumps({"root": options.data}))
    elif command in ("train", "weights", "reuse"):
        if command == "train":
            Path(options.state).mkdir(parents=True, exist_ok=True)
        logs = ("train.jsonl", "validation.jsonl")
        for name in ("checkpoint.pth", "manifest.json", "iou_histogram.csv", *logs):
            (out / name).write_text("")
    else:
        out.write_text("{}")
        of_score = ["bootstrap.parquet", "errors.json"]
        for beside in {"predict": ["gallery.json"], "score": of_score}.get(command, []):
            out.with_name(f"{out.stem}.{beside}").write_text("")
    about = {
        "threads": os.environ["OMP_NUM_THREADS"],
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    call = {"command": command, **about, **vars(options)}
    with open("calls.jsonl", "a") as file:
        file.write(json.dumps(call) + "\n")


if __name__ == "__main__":
    main()
