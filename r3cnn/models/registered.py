"""Register all classes of mmdet and this project, so that a class is found by its name."""

import warnings


def register_all() -> None:
    """Import what registers classes: models, data sets and their transforms, metrics."""
    with warnings.catch_warnings():
        # mmdet tells of a package for a metric that nobody here asks for
        warnings.filterwarnings("ignore", "faster_coco_eval", UserWarning)
        import mmdet.datasets
        import mmdet.evaluation  # noqa: F401
    from .. import models  # noqa: F401
