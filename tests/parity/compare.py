"""How far a record is from the reference, and how far it may be."""

import re

import numpy as np

from tests.parity.record import Record

# Why a key of a reference file is not compared.
NOT_COMPARED = {
    r"test/score_thr$": "an input: the threshold that evaluation is run with",
    r"test/score_gap$": "the gap in the reference's scores in which that threshold was chosen",
    r"test/nms_iou_margin$": "how far the reference's closest pair is from the NMS threshold",
    r"weights/": "compared by test_weights_are_the_reference_s",
    r"grad/names$": "the keys of grad/norms",
}
# The first match holds: the largest relative difference allowed, 0 for exact.
GATES = {
    r"(labels|pos_gt_inds|pos_is_gt|num_pos_neg|hist_\w+|num_loops|shape)$": 0.0,
    r"test/seg_area$": 3e-4,  # single pixels at a mask's border
    r"(grad|featgrad)/|gradnorm/": 2e-3,
    r"": 2e-5,
}
# Bilinear sampling at learnt offsets has kinks: in `dcn` noise of one float's last place alone moves a single
# backbone parameter's norm by up to 4e-3, differently on each CPU (test_float_noise_alone_...). The submodules'
# norms keep their gate. With 512 samples a ReLU of the first FC falls on the other side of zero, too.
KINKS = {
    "dcn": {
        "train512/featgrad/neck0/val": 1e-2,
        "train512/grad/norms": 1e-2,
        "train32/grad/norms": 1e-2,
    },
}
# Gradients that a softmax makes zero in theory (it ignores what all positions share); the rest is noise.
NOISE = re.compile(r"\.(phi\.conv|context_block\.conv_mask)\.bias$")
BACKBONE = re.compile(r"^backbone\.")


def gate(key: str) -> float:
    """The largest relative difference allowed for a key."""
    return next(limit for pattern, limit in GATES.items() if re.search(pattern, key))


def why_not_compared(key: str) -> str | None:
    """The reason why a key is left out, if it is."""
    return next((why for pattern, why in NOT_COMPARED.items() if re.search(pattern, key)), None)


def differences(reference: Record, found: Record) -> dict[str, float]:
    """The relative difference of each compared key; infinite where it is missing or of another shape."""
    compared = [key for key in reference if why_not_compared(key) is None]
    return {key: difference(key, reference, found) for key in compared}


def difference(key: str, reference: Record, found: Record) -> float:
    """Largest |a - b| over the largest |a|, or over the scale that fits the key."""
    if key.endswith("grad/norms"):
        return _gradient_difference(key, reference, found)
    if key not in found or found[key].shape != reference[key].shape:
        return np.inf
    a, b = reference[key].astype(np.float64), found[key].astype(np.float64)
    if a.size == 0:
        return 0.0
    scale = np.abs(a).max() + 1e-12
    if key.endswith("/stats"):  # mean, std, mean of |.|, sum: all against the mean of |.|
        count = max(1, np.prod(reference[key.removesuffix("stats") + "shape"]))
        scale = a[2] * np.array([1, 1, 1, count]) + 1e-12
    elif key.endswith("/thr_margin"):
        scale = 1.0  # a distance between IoUs
    return float((np.abs(a - b) / scale).max())


def _gradient_difference(
    key: str, reference: Record, found: Record, left_out: tuple[re.Pattern, ...] = (NOISE,)
) -> float:
    """Parameter by parameter; no gradient (-1) equals a gradient of zero.

    mmdet 3 ties a pyramid level without RoIs in with a factor of zero, mmdet 2.3 leaves it out.
    """
    norms = [
        {
            str(name): max(0.0, norm)
            for name, norm in zip(r[f"{key[:-5]}names"], r[key], strict=True)
        }
        for r in (reference, found)
    ]
    if norms[0].keys() != norms[1].keys():
        return np.inf
    kept = [name for name in norms[0] if not any(p.search(name) for p in left_out)]
    return max(abs(norms[0][n] - norms[1][n]) / (norms[0][n] + 1e-9) for n in kept)


def beyond_gates(reference: Record, found: Record, name: str = "") -> dict[str, float]:
    """The keys that are too far off in the configuration `name`."""
    limits = KINKS.get(name, {})
    off = differences(reference, found)
    beyond = {key: d for key, d in off.items() if not d <= limits.get(key, gate(key))}
    for key in limits.keys() & {k for k in off if k.endswith("grad/norms")}:
        outside = _gradient_difference(key, reference, found, (NOISE, BACKBONE))
        if not outside <= gate(key):
            beyond[f"{key} outside the backbone"] = outside
    return beyond
