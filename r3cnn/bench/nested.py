"""L_e = 1 to 5 in one pass against five separate ones, and the limit that multiply-adds set.

Those count convolutions and matrix products alone: what else is shared may bring the ratio below.
"""

from collections.abc import Callable, Sequence
from contextlib import contextmanager

from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..core.errors import UserError
from ..evaluation.predict import predict_batch
from .models import Images, batches_of, config, predictor
from .timing import in_turn, row

LOOPS = (1, 2, 3, 4, 5)


def in_one_pass(
    width: int, height: int, rounds: int = 3, scale: str = "paper", pasting: bool = False
) -> dict:
    """One image of that size, `pasting`: with the masks pasted into it, which is not shared."""
    images = Images(width, height, 1)
    cfg = config("r3_naive_inc", images, scale)
    detector, data = predictor(cfg), batches_of(cfg)[0]
    wanted = cfg.model.test_cfg.rcnn.max_per_img

    def together() -> None:
        found = predict_batch(detector, data, LOOPS)
        counts = [len(found[n][0].bboxes) for n in LOOPS]
        if set(counts) != {wanted}:
            raise UserError(
                f"bench: {counts} detections of the drawn model, expected {wanted} each"
            )

    def one_by_one() -> None:
        for n in LOOPS:
            predict_batch(detector, data, [n])

    with without_pasting(detector, not pasting):
        allowed = multiply_adds(together) / multiply_adds(one_by_one)
        times = in_turn({"one pass": together, "one by one": one_by_one}, rounds, warm_up=False)
    size = f"{width}x{height}, {wanted} detections, {'with' if pasting else 'before'} pasting"
    result = row(f"predict L_e = 1..5 in one pass, {size}", "one by one", times, aim=1.1 * allowed)
    return result | {
        "multiply_adds_allow": allowed,
        "over_what_they_allow": result["ratio"] / allowed,
    }


def multiply_adds(run: Callable[[], object]) -> int:
    """Multiply-adds of convolutions and matrix products, counted while it runs."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


@contextmanager
def without_pasting(detector: nn.Module, wanted: bool = True):
    """Inside, masks stay as the mask head makes them."""
    head = detector.roi_head.mask_head
    if wanted:
        head.predict_by_feat = _unpasted
    try:
        yield
    finally:
        vars(head).pop("predict_by_feat", None)


def _unpasted(mask_preds: Sequence, results_list: list, **_: object) -> list:
    return results_list
