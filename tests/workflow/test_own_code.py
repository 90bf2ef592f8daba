"""A head in a file of the user's own: its training depends on the file, and no other training does."""

import shutil

from tests.workflow.trees import ROOT, later

PROFILE = ("--profile", "workflow/profiles/local")
CATALOGUE = """\
extends: nothing
trainings:
  own: {model: r3_naive, iou: [0.5], code: own_head.py}
  plain: {model: mask_rcnn}
"""


def test_an_edited_head_trains_its_own_rows_again(fresh, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "own_head.py").write_text("# registers a head\n")
    (folder / "mine.yaml").write_text(CATALOGUE)
    config = (*PROFILE, "--cores", "4", "--config", f"catalogue={folder / 'mine.yaml'}")
    fresh.snakemake(*config)
    assert fresh.plan(*config).nothing
    later(folder / "own_head.py")
    assert fresh.plan(*config).nothing  # a younger time alone is no edit
    (folder / "own_head.py").write_text("# registers another head\n")
    later(folder / "own_head.py")
    plan = fresh.plan(*config)
    assert plan.trainings["train"] == {("own", 0)}
    assert plan.trainings["predict"] == {("own", 0)}
    assert plan.counts["score"] == 1


def test_a_dry_run_names_an_option_that_the_model_lacks(fresh, tmp_path):
    shutil.copy2(
        ROOT / "r3cnn" / "__main__.py", fresh.root / "r3cnn"
    )  # no stub: it reads the model
    mine = tmp_path / "mine.yaml"
    row = "{model: r3_naive, iou: [0.5, 0.6], options: {model.roi_head.loop_wieghts: [1, 1]}}"
    mine.write_text(f"extends: nothing\ntrainings:\n  own: {row}\n")
    dry = (*PROFILE, "-n", "--config", f"catalogue={mine}")
    done = fresh.snakemake(*dry, check=False)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"error: {mine}: own: options: model.roi_head.loop_wieghts: ")
    assert "Job stats" not in done.stdout + done.stderr
    mine.write_text(mine.read_text().replace("wieghts", "weights"))
    assert fresh.plan(*dry[:2], "--config", f"catalogue={mine}").counts["train"] == 1
