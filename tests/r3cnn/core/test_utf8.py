"""A command runs in UTF-8 whatever the login says."""

import json
import os
import subprocess
import sys
from pathlib import Path

from r3cnn.data import SPLITS, annotation_file, image_folder
from r3cnn.data.synthetic.shapes import generate

ROOT = Path(__file__).resolve().parents[3]
# A login without UTF-8 that every machine has; Python would mend it by itself, which these two forbid.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_names_of_files_and_classes_are_found_under_another_locale(tmp_path):
    folder = tmp_path / "größe"
    generate(folder, train=2, val=2, width=96, height=64, classes=1, seed=0)
    for split in SPLITS:
        content = json.loads(annotation_file(folder, split).read_text(encoding="utf-8"))
        content["categories"][0]["name"] = "猫"
        for image in content["images"]:
            old = image_folder(folder, split) / image["file_name"]
            image["file_name"] = f"é {image['file_name']}"
            old.rename(old.with_name(image["file_name"]))
        text = json.dumps(content, ensure_ascii=False)
        annotation_file(folder, split).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "r3cnn",
            "data",
            "check",
            "--data",
            folder,
            "--out",
            tmp_path / "d.json",
        ],
        env=os.environ | ASCII | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert (found["classes"], found["root"]) == (["猫"], str(folder))
