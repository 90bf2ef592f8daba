"""A head in a file of the user's own: its training depends on the file, and no other training does."""

from tests.workflow.trees import later

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
