"""mmdet's own reading of a data set."""

import json

from mmengine.registry import init_default_scope
from torch.utils.data import Dataset

from ..core.errors import UserError


def parsed_dataset(settings: dict) -> Dataset:
    """mmdet's data set of its config. Raises UserError where its annotations are not JSON."""
    init_default_scope("mmdet")
    from mmdet.registry import DATASETS

    from . import transforms  # noqa: F401 - registers what the pipelines name

    annotations = settings["ann_file"]
    try:
        return DATASETS.build(settings)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{annotations}: not JSON in UTF-8 ({error}); the file may be cut off: fetch or write it again"
        ) from error
