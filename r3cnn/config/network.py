"""The size of the network: channels, RoIs and classes of any model."""

from typing import Any

from mmengine.config import ConfigDict

PAPER_CHANNELS = 256
PAPER_FC = 1024
PAPER_PROPOSALS = 1000
CHANNEL_KEYS = {"in_channels", "out_channels", "feat_channels", "conv_out_channels"}


def shrink(model: ConfigDict, network: dict[str, Any]) -> None:
    """One rule for all models: a small backbone, fewer channels, RoIs, proposals and detections."""
    base, channels = network["base_channels"], network["channels"]
    model.backbone.update(
        type="ResNet14",
        depth=network["depth"],
        base_channels=base,
        init_cfg=None,
    )
    model.neck.in_channels = [base * 4 * 2**stage for stage in range(4)]
    model.neck.out_channels = channels
    for part in (model.rpn_head, model.roi_head):
        _scale_channels(part, channels, network["fc"])
    model.rpn_head.anchor_generator.scales = [network["anchor_scale"]]
    for proposals in (model.train_cfg.rpn_proposal, model.test_cfg.rpn):
        for key in ("nms_pre", "max_per_img"):
            proposals[key] = proposals[key] * network["proposals"] // PAPER_PROPOSALS
    train = model.train_cfg.rcnn
    for stage in train if isinstance(train, list) else [train]:
        stage.sampler.num = network["rois"]
    model.test_cfg.rcnn.max_per_img = network["detections"]


def _scale_channels(node: Any, channels: int, fc: int) -> None:
    if isinstance(node, list | tuple):
        for item in node:
            _scale_channels(item, channels, fc)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in CHANNEL_KEYS and value == PAPER_CHANNELS:
                node[key] = channels
            elif key == "fc_out_channels":
                node[key] = value * fc // PAPER_FC
            elif key == "stack_channels":
                node[key] = tuple(c * channels // PAPER_CHANNELS for c in value)
            else:
                _scale_channels(value, channels, fc)


def set_classes(node: Any, classes: int) -> None:
    """Set `num_classes` wherever a model has it."""
    if isinstance(node, list | tuple):
        for item in node:
            set_classes(item, classes)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "num_classes":
                node[key] = classes
            else:
                set_classes(value, classes)
