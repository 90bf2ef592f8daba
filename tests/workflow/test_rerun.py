"""What an edit makes run again, after the whole DAG has run."""

import json
import shutil
from collections import Counter

import pytest

from tests.workflow.trees import coco_folder, later

pytestmark = pytest.mark.slow

NAIVE = {"r3_naive_inc", "r3_naive_dec", "r3_1loop", "r3_2loops", "r3_4loops"}
ADVANCED = {"r3_advanced", "r3l_groie", "r3l_gcnet", "r3l_dcn"}


def seed0(ids):
    return {(id_, 0) for id_ in ids}


def test_a_complete_run(complete):
    calls = [json.loads(line) for line in (complete.root / "calls.jsonl").read_text().splitlines()]
    assert Counter(call["command"] for call in calls) == {
        "data shapes": 1,
        "data check": 1,
        "resolve": 17,
        "train": 17,
        "predict": 17,
        "score": 21,
        "measure": 17,
    }
    # smoke measures beside other jobs, and says so
    assert {call["threads"] for call in calls} == {"1"}
    assert all(call["beside_others"] for call in calls if call["command"] == "measure")
    assert complete.plan().nothing


def test_comments_times_and_method_sources_run_nothing(done):
    for path in (
        "experiments/paper.yaml",
        "experiments/scales/smoke.yaml",
        "r3cnn/catalogue/trainings.py",
        "reports/tables/build.py",
        "environment.yml",
        *[f"workflow/rules/{rule}.smk" for rule in ("common", "data", "train", "report")],
    ):
        done.append(path, "\n# A comment.\n")
    done.append("r3cnn/models/roi_head.py", "\nANOTHER_METHOD = True\n")
    done.edit(
        "experiments/paper.yaml",
        "{model: r3_naive, iou: [0.5, 0.6]}",
        "{iou: [.5, .6], schedule: 1x, model: r3_naive}",
    )
    for path in ("models/r3_naive.py", "paper.yaml", "scales/smoke.yaml"):
        later(done.root / "experiments" / path)
    assert done.plan().nothing


def test_a_caption_writes_tables_and_report_only(done):
    done.edit("reports/tables.yaml", "One R3-CNN trained", "One and the same R3-CNN trained")
    tables = {"table1": 1, "table2": 1, "table3": 1, "table4": 1}
    assert done.plan().counts == {**tables, "claims": 1, "report": 1, "all": 1}


def test_a_published_number_writes_its_table_and_the_report(done):
    done.append("reports/published/table3.csv", "\n")
    assert done.plan().counts == {"table3": 1, "claims": 1, "report": 1, "all": 1}


def test_an_edited_claim_trains_nothing(done):
    assert (done.root / "results" / "smoke" / "claims.json").is_file()
    done.edit("reports/claims.yaml", "difference: [0, null]", "difference: [-1, null]")
    assert done.plan().counts == {"claims": 1, "report": 1, "all": 1}


def test_seeds_of_the_command_line_take_the_place_of_the_scales(done):
    plan = done.plan("--config", "seeds=0,2")
    assert {seed for _, seed in plan.trainings["train"]} == {2}
    assert plan.counts["train"] == 17


@pytest.mark.parametrize(
    ("path", "trained"),
    [
        ("models/r3_advanced.py", ADVANCED),
        ("models/r3_naive.py", ADVANCED | NAIVE),
        ("models/htc.py", {"htc", "htc_gcnet", "htc_dcn"}),
        ("models/with/dcn.py", {"dcn", "htc_dcn", "r3l_dcn"}),
    ],
)
def test_a_model_config_trains_what_derives_from_it(done, path, trained):
    done.append(f"experiments/{path}", "\nmodel.update(edited=True)\n")
    plan = done.plan()
    assert plan.trainings["train"] == seed0(trained)
    assert plan.trainings["predict"] == seed0(trained)
    assert plan.counts["train"] == plan.counts["measure"] == len(trained)


def test_a_catalogue_entry_trains_itself_only(done):
    done.edit(
        "experiments/paper.yaml",
        "{model: r3_naive, iou: [0.5]}",
        "{model: r3_naive, iou: [0.5], options: {model.edited: true}}",
    )
    assert done.plan().trainings["train"] == seed0({"r3_1loop"})


def test_a_schedule_trains_those_that_follow_it(done):
    done.edit("experiments/scales/smoke.yaml", "3x: {epochs: ", "3x: {epochs: 1")
    assert done.plan().trainings["train"] == seed0({"mask_3x"})


def test_validation_turned_on_trains_all(done):
    """A line of each epoch needs the weights of each epoch."""
    done.append("experiments/scales/smoke.yaml", "\nvalidate: {every: 1}\n")
    assert done.plan().counts["train"] == 17


def test_other_generated_data_train_all(done):
    done.edit("experiments/scales/smoke.yaml", "shapes: {train: ", "shapes: {train: 1")
    assert done.plan().counts["train"] == 17


def test_another_seed_trains_nothing_of_the_first(done):
    done.edit("experiments/scales/smoke.yaml", "seeds: [0]", "seeds: [0, 1]")
    plan = done.plan()
    assert plan.counts["train"] == 17
    assert {seed for _, seed in plan.trainings["train"] | plan.trainings["predict"]} == {1}
    assert plan.counts["score"] == 21
    assert "measure" not in plan.counts


def test_another_evaluation_trains_nothing(done):
    done.edit("experiments/paper.yaml", "[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5, 6]")
    plan = done.plan()
    assert "train" not in plan.counts
    assert plan.trainings["predict"] == seed0({"r3_naive_inc"})
    assert plan.counts["score"] == 6


def test_a_users_row_trains_itself_only(done):
    (done.root / "own.yaml").write_text("trainings: {mine: {model: own.py, iou: [0.6]}}\n")
    (done.root / "own.py").write_text("_base_ = './experiments/models/r3_naive.py'\n")
    plan = done.plan("--config", "catalogue=own.yaml")
    assert plan.counts == {
        **dict.fromkeys(("resolve", "train", "predict", "score", "measure"), 1),
        "report": 1,
        "all": 1,
    }
    assert plan.trainings["train"] == seed0({"mine"})
    done.append("experiments/models/r3_naive.py", "\nmodel.update(edited=True)\n")
    plan = done.plan("--config", "catalogue=own.yaml")
    assert plan.trainings["train"] == seed0(NAIVE | ADVANCED | {"mine"})


def test_a_removed_training_is_made_again(done):
    shutil.rmtree(done.root / "results" / "smoke" / "trainings" / "htc")
    assert done.plan().trainings["train"] == seed0({"htc"})


def test_a_given_folder_is_checked_again_when_its_annotations_change(fresh, tmp_path):
    folder = coco_folder(tmp_path / "coco")
    (fresh.root / "own.yaml").write_text("extends: nothing\ntrainings: {mine: {model: htc}}\n")
    config = ("--config", "catalogue=own.yaml", f"data={folder}")
    fresh.snakemake("--cores", "2", *config)
    annotations = folder / "annotations" / "instances_train2017.json"
    later(annotations)
    assert fresh.plan(*config).nothing
    annotations.write_text('{"images": []}')
    assert fresh.plan(*config).counts["train"] == 1
