"""Parse a data set with mmdet."""

import json

from mmengine.registry import init_default_scope
from torch.utils.data import Dataset

from ..core.errors import UserError


def parsed_dataset(settings: dict) -> Dataset:
    """mmdet's data set of its config. Raises UserError if none is left to read."""
    init_default_scope("mmdet")
    from mmdet.registry import DATASETS

    from . import annotation_api, transforms  # which registers what the pipelines name

    annotation_api.use()
    annotations = settings["ann_file"]
    try:
        dataset = DATASETS.build(settings)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{annotations}: not JSON in UTF-8 ({error}); the file may be cut off: fetch or write it again"
        ) from error
    except ValueError as error:
        if "at least one array" not in str(error):
            raise
        raise UserError(
            f"{annotations}: no object to train on: no image is left; check the data with "
            "`python -m r3cnn data check`, and the model's filter_cfg"
        ) from error
    if hasattr(dataset, "pipeline"):  # a wrapper of data sets has none
        dataset.pipeline = transforms.NamingPipeline(dataset.pipeline)
    return dataset
