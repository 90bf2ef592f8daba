"""The details behind a cell: the config and its difference from the parent's, files, log, command."""

import difflib
from collections import Counter
from pathlib import Path
from typing import Any

from r3cnn.core.files import read_json, read_text
from r3cnn.core.layout import NAMES, RunFolder, errors_of, resamples_of

from ..results.load import Results
from ..results.setting import run_command

AGAIN = "again"
LOG_LINES = 15


def details(results: Results, parents: dict[str, str]) -> dict[str, Any]:
    """For the page's script: trainings by id, evaluations by "id|loops". Raises: UserError."""
    run = RunFolder(results.folder)
    configs = _configs(run)
    trainings: dict[str, Any] = {}
    for training, seed in sorted({*configs, *results.manifests}):
        parent = _parent(training, seed, parents, configs)
        entry = trainings.setdefault(training, {"seeds": {}})
        entry["seeds"][str(seed)] = _training(results, training, seed, parent, configs)
    for training in results.measured:
        measurement = read_json(run.measurement(training))
        trainings.setdefault(training, {"seeds": {}})["measurement"] = measurement
    evaluations: dict[str, Any] = {}
    for (training, seed, loops), provenance in sorted(results.score_provenance.items()):
        entry = evaluations.setdefault(f"{training}|{loops}", {"seeds": {}})
        score = NAMES.score(training, seed, loops)
        files = [NAMES.predictions(training, seed), score, resamples_of(score), errors_of(score)]
        known = {"provenance": provenance, "files": _files(results.folder, files)}
        entry["seeds"][str(seed)] = known
    return {"trainings": trainings, "evaluations": evaluations}


def again_command(results: Results, name: str) -> str:
    """The command that makes a result file from nothing, in a folder next to the present one."""
    return run_command(results, name, into=AGAIN)


def config_difference(config: str, parent_config: str, parent: str, training: str) -> str:
    """The lines in which a config differs from its parent's, as a unified difference."""
    lines = difflib.unified_diff(
        parent_config.splitlines(), config.splitlines(), parent, training, lineterm="", n=2
    )
    return "\n".join(lines)


def _configs(run: RunFolder) -> dict[tuple[str, int], str]:
    return {
        (training.id, int(training.seed)): read_text(training.config)
        for training in run.trainings()
        if training.seed.isdigit() and training.config.is_file()
    }


def _parent(
    training: str, seed: int, parents: dict[str, str], configs: dict[tuple[str, int], str]
) -> tuple[str, int] | None:
    """The parent's config: the stated one, else the nearest config of another training."""
    if (training, seed) not in configs:
        return None
    others = sorted(key for key in configs if key[0] != training)
    if training in parents:
        others = [key for key in others if key[0] == parents[training]]
    elif training in parents.values():
        return None  # what others are variants of, and is of none itself
    own = Counter(configs[training, seed].splitlines())

    def difference(key: tuple[str, int]) -> tuple[int, bool]:
        other = Counter(configs[key].splitlines())
        return ((own - other).total() + (other - own).total(), key[1] != seed)

    return min(others, key=difference, default=None)


def _training(
    results: Results,
    training: str,
    seed: int,
    parent: tuple[str, int] | None,
    configs: dict[tuple[str, int], str],
) -> dict[str, Any]:
    run = RunFolder(results.folder)
    folder = run.training(training, seed).path
    names = [path.relative_to(run.path) for path in sorted(folder.glob("[!.]*"))]
    given = (results.manifests.get((training, seed)) or {}).get("weights")
    rule = "weights" if given else "train"
    log = run.job_log(rule, training, seed)
    config = configs.get((training, seed))
    entry = {
        "manifest": results.manifests.get((training, seed)),
        "config": config,
        "files": _files(results.folder, names),
        "log": _end_of(log),
        "log_path": log.relative_to(results.folder).as_posix(),
    }
    if parent is not None and config is not None:
        entry["parent"] = parent[0]
        entry["difference"] = config_difference(config, configs[parent], parent[0], training)
    return entry


def _files(folder: Path, names: list[Path]) -> list[tuple[str, int]]:
    """(name within the results, bytes) of those that are there."""
    paths = [(name.as_posix(), folder / name) for name in names]
    return [(name, path.stat().st_size) for name, path in paths if path.is_file()]


def _end_of(path: Path) -> str | None:
    """The last lines of a log; None without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 20_000))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(text.splitlines()[-LOG_LINES:])
