"""A prediction in parts of a few images each, so that a stopped one can resume."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from ..core.files import replacing, write_json

IMAGES_A_PART = 50
PARTS_A_GROUP = 4  # of the file that is made of them: row groups of 200 images


class Parts:
    """The parts of a prediction of `images` images in a folder; each is whole or not there."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder, self.images = folder, images
        folder.mkdir(parents=True, exist_ok=True)

    def all(self) -> list[range]:
        """The images of each part, in order."""
        starts = range(0, self.images, IMAGES_A_PART)
        return [range(first, min(first + IMAGES_A_PART, self.images)) for first in starts]

    def missing(self) -> list[range]:
        """The parts that are still to be made."""
        return [part for part in self.all() if not self._table(part).is_file()]

    def write(self, part: range, tables: Sequence[pa.Table], pictures: list[dict]) -> None:
        """Keep the detections of a part, one table for each L_e, and its pictures of the gallery."""
        write_json(self._pictures(part), pictures, indent=None)
        with replacing(self._table(part)) as temporary:
            pq.write_table(pa.concat_tables(tables), temporary, compression="zstd")

    def join(self, out: Path, schema: pa.Schema, loops: Sequence[int]) -> list[dict]:
        """Write all parts to one file, one row group for each L_e so that a reader skips the others.

        Returns the pictures.
        """
        parts = self.all()
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for first in range(0, len(parts), PARTS_A_GROUP):
                files = [self._table(part) for part in parts[first : first + PARTS_A_GROUP]]
                table = pa.concat_tables(pq.read_table(file) for file in files)
                for n in loops:
                    of_loop = table.filter(pa.compute.equal(table["loops"], n))
                    writer.write_table(of_loop.replace_schema_metadata(schema.metadata))
        texts = (self._pictures(part).read_text(encoding="utf-8") for part in parts)
        return [picture for text in texts for picture in json.loads(text)]

    def remove(self) -> None:
        """Remove what has been joined."""
        for part in self.all():
            self._table(part).unlink(missing_ok=True)
            self._pictures(part).unlink(missing_ok=True)
        self.folder.rmdir()

    def _table(self, part: range) -> Path:
        return self.folder / f"{part.start:06}.parquet"

    def _pictures(self, part: range) -> Path:
        return self.folder / f"{part.start:06}.json"
