"""The annotation reader of mmdet's data sets: UTF-8 under every locale, and strict about classes."""

import json

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO

from ..core.errors import UserError


class CheckedCOCO(COCO):
    """pycocotools' reader; raises UserError where the classes are not found, or are in another order."""

    def __init__(self, annotation_file: str | None = None) -> None:
        super().__init__()
        self.file = annotation_file
        if annotation_file is not None:
            with open(annotation_file, encoding="utf-8") as file:  # pycocotools takes the locale's
                self.dataset = json.load(file)
            if not isinstance(self.dataset, dict):
                raise UserError(f"{annotation_file}: expected a JSON object; check the data")
            self.createIndex()
            self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def get_cat_ids(
        self, cat_names: object = (), sup_names: object = (), cat_ids: object = ()
    ) -> list[int]:
        """Ids of the categories of these names, in the file's order, which must be that of the names.

        A label is a place in the names, and mmdet gives it by the file's order.
        """
        found = super().get_cat_ids(cat_names or [], sup_names or [], cat_ids or [])
        wanted = [cat_names] if isinstance(cat_names, str) else list(cat_names or ())
        if wanted and (names := [self.cats[id_]["name"] for id_ in found]) != wanted:
            self._refuse(wanted, names)
        return found

    def _refuse(self, wanted: list[str], names: list[str]) -> None:
        known = [category["name"] for category in self.cats.values()]
        if missing := [name for name in wanted if name not in known]:
            what = (
                f"no category {missing[0]!r} ({len(missing)} of {len(wanted)} classes are missing)"
            )
        elif len(names) > len(wanted):
            what = f"two categories of one name among {sorted(names)}"
        else:
            what = f"the order {names}, expected {wanted}"
        raise UserError(
            f"{self.file}: categories: {what} of the config's classes; check the data and resolve the config again"
        )


def use() -> None:
    """Have mmdet's data sets of COCO's format read through it."""
    CocoDataset.COCOAPI = CheckedCOCO
