"""The pictures of the loop at work."""

import pytest

from r3cnn.core.errors import UserError
from reports.page.gallery import load_gallery
from reports.results.load import load_results
from tests.reports.folders import ResultFolder


def test_a_view_for_each_loop_of_each_model(smoke: ResultFolder) -> None:
    smoke.gallery("mask_1x", 1)
    smoke.gallery("r3_naive_inc", 5, loops_trained=3)
    smoke.gallery("r3_advanced", 3)
    [picture] = load_gallery(load_results(smoke.path)).pictures
    assert {shape.colour for shape in picture.truth} <= {colour for _, colour in picture.classes}
    assert [name for name, _ in picture.classes] == sorted({shape.title for shape in picture.truth})
    assert [view.title for view in picture.views] == [
        "Mask R-CNN",
        *(f"R3-CNN ({name}), loop {n}" for name in ("naive", "advanced") for n in (1, 2, 3)),
    ]
    second = picture.views[2]
    assert (second.box_iou, second.mask_iou) == (0.2, 0.1)
    assert second.summary == "IoU of boxes 0.20, of masks 0.10"
    assert second.rows == (("disc", 0.2, 0.1),)
    assert second.shapes[0].path == "M1 1L11 1L11 11L1 11Z"
    assert second.shapes[0].label == ""  # no match
    assert picture.truth[0].colour == second.shapes[0].colour


def test_missing_models_say_how_to_run_them(smoke: ResultFolder) -> None:
    smoke.gallery("mask_1x", 1)
    gallery = load_gallery(load_results(smoke.path))
    assert [model for model, _ in gallery.missing] == ["R3-CNN (naive)", "R3-CNN (advanced)"]
    assert "predictions/r3_naive_inc/seed0.gallery.json" in gallery.missing[0][1]
    assert len(gallery.pictures) == 1


@pytest.mark.parametrize("pictures", [None, [1], [{"image_id": 1}]])
def test_a_file_that_is_none_is_named(smoke: ResultFolder, pictures: object) -> None:
    smoke.gallery("mask_1x", 1, pictures=pictures)
    with pytest.raises(UserError, match=r"seed0.gallery.json: pictures: .*predict again"):
        load_gallery(load_results(smoke.path))


def test_a_label_is_the_iou_of_a_match(smoke: ResultFolder) -> None:
    smoke.gallery("r3_advanced", 6)
    [picture] = load_gallery(load_results(smoke.path)).pictures
    assert [view.shapes[0].label for view in picture.views] == ["", "", "", "", "0.50", "0.60"]
