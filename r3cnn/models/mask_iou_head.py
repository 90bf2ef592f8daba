"""The Mask-IoU branch of R3-CNN (advanced): how well does the last loop's mask fit?"""

import torch
from mmdet.models.roi_heads.mask_heads import MaskIoUHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .non_local import non_local_stack


@MODELS.register_module()
class R3MaskIoUHead(MaskIoUHead):
    """Mask scoring whose FCs are Non-Local (256), 7x7 convolutions (128, 64), Non-Local (64).

    `binarise_logits`: the target binarises the mask's logits at the threshold, not its probabilities
    (a logit of 0.5 is a probability of 0.62). Source: section 3.2; the default is the authors' code's.
    """

    def __init__(
        self,
        stack_channels: tuple[int, ...] = (128, 64),
        roi_feat_size: int = 14,
        binarise_logits: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(num_fcs=0, roi_feat_size=roi_feat_size, **kwargs)
        self.binarise_logits = binarise_logits
        self.fcs = non_local_stack(self.conv_out_channels, tuple(stack_channels), non_local="both")
        side = roi_feat_size // 2  # the last of `convs` has stride 2
        self.fc_mask_iou = nn.Linear(stack_channels[-1] * side * side, self.num_classes)
        self.init_cfg = [
            {"type": "Kaiming", "override": {"name": "convs"}},
            {"type": "Normal", "std": 0.01, "override": {"name": "fc_mask_iou"}},
        ]

    def forward(self, mask_feat: Tensor, mask_preds: Tensor) -> Tensor:
        """Predicted IoU (R, classes) of mask features (R, C, 14, 14) and mask logits (R, 28, 28)."""
        mask = self.max_pool(mask_preds.sigmoid().unsqueeze(1))
        x = torch.cat((mask_feat, mask), 1)
        for conv in self.convs:
            x = self.relu(conv(x))
        for layer in self.fcs:
            x = layer(x)
        return self.fc_mask_iou(x.flatten(1))

    def get_targets(
        self,
        sampling_results: list[SamplingResult],
        batch_gt_instances: list[InstanceData],
        mask_preds: Tensor,
        mask_targets: Tensor,
        rcnn_train_cfg: ConfigDict,
    ) -> Tensor:
        """IoU (R,) of the binarised mask with the whole ground-truth mask, from inside the box."""
        if not self.binarise_logits:
            mask_preds = mask_preds.sigmoid()
        return super().get_targets(
            sampling_results, batch_gt_instances, mask_preds, mask_targets, rcnn_train_cfg
        )
