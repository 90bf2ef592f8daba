"""A kept run in one file, kept.zip: a run of 17 trainings has some 170 small files."""

import atexit
import functools
import io
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_if_changed
from r3cnn.core.records import RESAMPLE

PACKED = "kept.zip"
RECALL = re.compile(r"^\w+\.AR")
UNIT = 10_000  # of a resampled metric, 0 to 1: a hundredth of a point of AP
_MADE = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def unpacked(folder: Path) -> Path:
    """The folder, or one that holds the contents of its kept.zip until the process ends. Raises UserError."""
    archive = folder / PACKED
    if not archive.is_file():
        return folder
    return _unpacked(folder.resolve(), archive.stat().st_mtime_ns)


@functools.cache
def _unpacked(folder: Path, changed: int) -> Path:
    parent = Path(tempfile.mkdtemp(prefix="r3cnn-kept-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    # the same names of folders, so that the commands shown are the same
    target = parent / folder.parent.name / folder.name
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(folder / PACKED) as archive:
            archive.extractall(target)
        for path in target.rglob("*.parquet"):
            pq.write_table(_metrics(pq.read_table(path)), path)
    except (zipfile.BadZipFile, pa.ArrowException, OSError, ValueError) as error:
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
            content = _coded(path) if path.suffix == ".parquet" else path.read_bytes()
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return write_if_changed(out / PACKED, buffer.getvalue())


def _coded(path: Path) -> bytes:
    """A file of resamples with whole numbers of UNIT instead of its metrics, none for NaN; its facts stay.

    Without the resamples of average recall, a third of all: no shipped table, chart or claim shows their spread.
    """
    table = pq.read_table(path)
    table = table.drop_columns([name for name in table.column_names if RECALL.search(name)])
    for i, column in enumerate(table.columns):
        if pa.types.is_floating(column.type):
            known = pc.if_else(pc.is_nan(column), None, column)
            whole = pc.round(pc.multiply(known, UNIT)).cast(pa.int32())
            table = table.set_column(i, table.schema.field(i).with_type(pa.int32()), whole)
    buffer = io.BytesIO()
    coding = dict.fromkeys(table.column_names, "DELTA_BINARY_PACKED")
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, column_encoding=coding)
    return buffer.getvalue()


def _metrics(table: pa.Table) -> pa.Table:
    """The reverse of `_coded`, up to the rounding."""
    for i, name in enumerate(table.column_names):
        if name != RESAMPLE:
            values = pc.fill_null(pc.divide(table.column(i).cast(pa.float64()), UNIT), float("nan"))
            table = table.set_column(i, table.schema.field(i).with_type(pa.float64()), values)
    return table
