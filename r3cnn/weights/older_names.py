"""Names that tensors had in checkpoints of earlier mmdet and mmcv, under which the model zoo still holds some."""

import logging
import re
from collections.abc import Mapping

from torch import Tensor

from ..core.errors import UserError

log = logging.getLogger(__name__)
RENAMED = (
    # deformable convolutions before mmcv 1.0, as mmcv.ops.DeformConv2dPack renames them when it loads a file
    (re.compile(r"(\.conv\d+)_offset\.(weight|bias)$"), r"\1.conv_offset.\2"),
)


def with_present_names(source: object, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names that the present mmdet gives them. Raises UserError where two become one."""
    renamed: dict[str, Tensor] = {}
    for name, value in found.items():
        present = name
        for pattern, replacement in RENAMED:
            present = pattern.sub(replacement, present)
        if present in renamed or (present != name and present in found):
            raise UserError(
                f"{source}: {name}: the file also has its present name {present}, expected one of the two; "
                "remove one from the file"
            )
        renamed[present] = value
    if count := len(renamed.keys() - found.keys()):
        log.warning("%s: %d tensors renamed from earlier mmdet's names", source, count)
    return renamed
