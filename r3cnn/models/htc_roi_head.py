"""HTC as its authors and R3-CNN's ran it."""

from mmdet.models.roi_heads import HybridTaskCascadeRoIHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class HTCRoIHead(HybridTaskCascadeRoIHead):
    """mmdet's HTC RoI head, with the masks of all stages averaged in evaluation.

    mmdet 3 keeps the last stage's mask alone; mmdet 2.3, which the paper used, averages the three.
    """

    def _mask_forward(
        self,
        stage: int,
        x: tuple[Tensor],
        rois: Tensor,
        semantic_feat: Tensor | None = None,
        training: bool = True,
    ) -> dict:
        if training:
            return super()._mask_forward(stage, x, rois, semantic_feat, training)
        extractor = self.mask_roi_extractor[stage]
        mask_feats = extractor(x[: extractor.num_inputs], rois)
        mask_preds, features = [], None
        for head in self.mask_head:
            logits, features = head(mask_feats, features if self.mask_info_flow else None)
            mask_preds.append(logits)
        return {"mask_preds": mask_preds}
