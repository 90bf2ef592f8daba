"""Train what the small scales begin with: a backbone, a neck and an RPN, from scratch, on images of their own.

The backbone learns to tell the classes of crops, as a ResNet learns from ImageNet; then backbone, neck and RPN
learn by the RPN's loss alone. No RoI head takes part, so none of the compared models is favoured. No image is one
of a scale's training or validation images (crops.py).
"""

import logging
import time
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..catalogue.scales import Scale
from ..config.own_code import import_all
from ..core import provenance
from ..data.seeding import seed_libraries
from ..data.synthetic.crops import draw_scenes
from ..weights import checkpoint
from .classification import Classifier, accuracy, classify
from .lessons import Lesson
from .proposals import propose, recall

log = logging.getLogger(__name__)
IMAGES, LEFT_OUT = 6000, 500  # images drawn; of them, those that nothing is trained on
DRAWN = {
    "classes": 10,
    "objects": (1, 6),
}  # more than any small scale has, so that all can use the file
CROPS = Lesson(batch=128, epochs=12, lr=0.2)
PROPOSALS = Lesson(batch=8, epochs=3, lr=0.04)


def pretrain(scale: Scale, cfg: Config, out: Path, seed: int) -> dict[str, object]:
    """Write weights of backbone, neck and RPN, float16, to `out`. Returns the facts of the model card.

    cfg: a resolved config of a two-stage detector without extensions, for the sizes of its parts.
    """
    began = time.process_time()
    shapes, preprocessor = scale.data["shapes"] | DRAWN, cfg.model.data_preprocessor
    seed_libraries(seed, "pretraining")
    import_all(cfg)
    rpn = _build(cfg.model)
    channels = cfg.model.neck.in_channels[-1]
    classifier = Classifier(rpn.backbone, channels, shapes["classes"])
    drawn = list(draw_scenes(shapes, seed, IMAGES))
    log.info("%d images drawn", IMAGES)
    seen, unseen = drawn[: IMAGES - LEFT_OUT], drawn[IMAGES - LEFT_OUT :]
    classify(classifier, seen, CROPS, seed, preprocessor)
    right = accuracy(classifier, unseen, seed, preprocessor)
    log.info("crops: %.3f of those left out are told right", right)
    propose(rpn, seen, PROPOSALS, seed, preprocessor)
    met = [recall(rpn, unseen, preprocessor, iou) for iou in (0.5, 0.7)]
    log.info("proposals: %.3f of the objects left out are met with IoU 0.5, %.3f with 0.7", *met)
    checkpoint.save(out, _halved(rpn))
    versions = provenance.package_versions()
    return {
        "seed": seed,
        **{key: shapes[key] for key in ("width", "height", "classes")},
        "images": IMAGES,
        "left_out": LEFT_OUT,
        "crops": CROPS.said(),
        "proposals": PROPOSALS.said(),
        "accuracy": right,
        "recall_50": met[0],
        "recall_70": met[1],
        "seconds": time.process_time() - began,
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _build(model: ConfigDict) -> nn.Module:
    """Backbone, neck and RPN of a detector's config as mmdet's RPN, all of it to be trained."""
    from mmdet.registry import MODELS

    init_default_scope("mmdet")
    MMLogger.get_current_instance().setLevel("WARNING")  # it tells of every tensor that it fills
    parts = ConfigDict(
        type="RPN",
        backbone={**model.backbone, "frozen_stages": -1, "norm_eval": False, "init_cfg": None},
        neck=model.neck,
        rpn_head=model.rpn_head,
        train_cfg={"rpn": model.train_cfg.rpn},
        test_cfg={"rpn": model.test_cfg.rpn},
    )
    rpn = MODELS.build(parts)
    rpn.init_weights()
    return rpn


def _halved(rpn: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics, float16, as a two-stage detector names them; without the counts of batches."""
    state = rpn.state_dict()
    names = {name: name.replace("bbox_head.", "rpn_head.") for name in state}
    return {names[name]: value.half() for name, value in state.items() if value.is_floating_point()}
