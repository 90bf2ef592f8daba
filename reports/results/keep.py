"""Keep the small files of a run, from which the report can be made without any training."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json, read_text, write_if_changed
from r3cnn.core.layout import NAMES, RunFolder, errors_of, resamples_of

from .packed import PACKED, pack, unpacked

EVERY = 20  # steps of a log between two that are kept
_ELSEWHERE = re.compile(
    r"""(?:^|[\s"'=,;(\[]|\\n|file://|\w:(?!//))(/[^/\s"']+/[^\s"']*)""", re.MULTILINE
)


def keep(results: Path, out: Path, shown: Path | None = None) -> list[Path]:
    """Copy what the report reads of every finished training from `results` to `out`; other files there are kept.

    shown: what messages call `out`, if it is a copy. Logs are thinned to every 20th step. Raises: UserError where
    a file holds a path of this machine, or where `out` is in the run or holds results on other data, or a training
    of the same name with another config.
    """
    if not RunFolder(results).data.is_file():
        raise UserError(f"{results}: no data.json; expected the folder of a run, results/<name>")
    if out.resolve().is_relative_to(results.resolve()):
        raise UserError(f"--out {out}: is inside the run {results}; choose a folder outside of it")
    _require_same_data(results, out, shown or out)
    _require_same_configs(results, out, shown or out)
    files, run = [], RunFolder(results)
    for path in _finished(results):
        target = out / path.relative_to(results)
        if path.suffix == ".parquet":
            files.append(write_if_changed(target, path.read_bytes()))
            continue
        text = _kept_settings(path) if path == run.settings else read_text(path)
        if path.name == NAMES.training("", 0).log.name:
            text = _thinned(path, text)
        _require_portable(path, text)
        files.append(write_if_changed(target, text))
    return files


def keep_packed(results: Path, out: Path) -> list[Path]:
    """Like `keep`, but into one file, out/kept.zip; other files in it are preserved."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, out.name)
        if (out / PACKED).is_file():
            shutil.copytree(unpacked(out), kept)
        keep(results, kept, out / PACKED)
        return [pack(kept, out)]


def _finished(results: Path) -> Iterator[Path]:
    """All files to be kept; of a training or score only if the training has ended."""
    run = RunFolder(results)
    files = [run.data, run.claims, run.settings, *run.measurements()]
    for training in run.trainings():
        if training.manifest.is_file():
            scores = run.scores(training.id, training.seed)
            files += [training.config, training.manifest, training.histogram]
            files += [training.log, training.validation]
            for score in scores:
                files += [score, resamples_of(score), errors_of(score)]
    yield from (path for path in sorted(files) if path.is_file())


def _kept_settings(path: Path) -> str:
    """settings.json without `results`: the copy is in another folder."""
    settings = {key: value for key, value in read_json(path).items() if key != "results"}
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _require_same_data(results: Path, out: Path, shown: Path) -> None:
    found = read_json(RunFolder(results).data).get("splits")
    if not RunFolder(out).data.is_file():
        return
    expected = read_json(RunFolder(out).data).get("splits")
    if found != expected:
        raise UserError(
            f"{shown}: data.json: splits: results on other data than {results}; choose another --out, or remove "
            "this one"
        )


def _require_same_configs(results: Path, out: Path, shown: Path) -> None:
    """Refuse a second config under one name; a rerun of the same config replaces the old one."""
    for training in RunFolder(out).trainings():
        kept = training.manifest
        new = results / kept.relative_to(out)
        if not kept.is_file() or not new.is_file():
            continue
        expected, found = (read_json(path).get("config_sha256") for path in (kept, new))
        if found != expected:
            raise UserError(
                f"{new}: config_sha256: trained with another config than {kept.parent.relative_to(out)} of "
                f"{shown}; remove that folder and scores/{training.id} there to replace them, or choose another "
                "--out"
            )


def _thinned(path: Path, text: str) -> str:
    """Every 20th step of a log, the last one, and every line that is not a step."""
    lines = text.splitlines()
    kept = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}: line {number}: not JSON ({error.msg}); train it again"
            ) from error
        step = entry.get("iteration") if "loss" in entry else None
        if step is None or step % EVERY == 0 or step == 1 or number == len(lines):
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def _require_portable(path: Path, text: str) -> None:
    found = _ELSEWHERE.search(text)
    if found:
        raise UserError(
            f"{path}: holds the path {found[1]} of this machine; run from the checkout with relative paths, "
            "then keep again"
        )
