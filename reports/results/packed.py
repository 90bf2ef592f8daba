"""What is kept of a run in one file, kept.zip: a run of 17 trainings has some 170 small files."""

import atexit
import functools
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_if_changed

PACKED = "kept.zip"
DIGITS = 5  # of a resampled metric, 0 to 1: a thousandth of a point of AP
_MADE = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def unpacked(folder: Path) -> Path:
    """The folder itself, or one that holds what its kept.zip does, until this process ends. Raises UserError."""
    archive = folder / PACKED
    if not archive.is_file():
        return folder
    return _unpacked(folder.resolve(), archive.stat().st_mtime_ns)


@functools.cache
def _unpacked(folder: Path, changed: int) -> Path:
    parent = Path(tempfile.mkdtemp(prefix="r3cnn-kept-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    target = parent / folder.parent.name / folder.name  # named alike, so that commands are
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(folder / PACKED) as archive:
            archive.extractall(target)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UserError(
            f"{folder / PACKED}: not a file of kept results ({error}); get it back, or keep the run again"
        ) from error
    return target


def pack(folder: Path, out: Path) -> Path:
    """Write the files of a folder to out/kept.zip, resampled metrics rounded; returns its path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _MADE)
            content = _rounded(path) if path.suffix == ".parquet" else path.read_bytes()
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return write_if_changed(out / PACKED, buffer.getvalue())


def _rounded(path: Path) -> bytes:
    """A Parquet file whose numbers have DIGITS digits after the point; its facts stay."""
    table = pq.read_table(path)
    for i, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            table = table.set_column(i, table.schema.field(i), pc.round(column, DIGITS))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=19)
    return buffer.getvalue()
