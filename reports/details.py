"""What opens behind a cell: the config and its difference from the parent's, files, log, command."""

import difflib
from collections import Counter
from pathlib import Path
from typing import Any

from reports.files import read_json, read_text
from reports.load import Results
from reports.setting import run_command

AGAIN = "again"
LOG_LINES = 15


def details(results: Results, parents: dict[str, str]) -> dict[str, Any]:
    """For the page's script: trainings by id, evaluations by "id|loops". Raises: ReportError."""
    configs = _configs(results.folder)
    trainings: dict[str, Any] = {}
    for training, seed in sorted({*configs, *results.manifests}):
        parent = _parent(training, seed, parents, configs)
        entry = trainings.setdefault(training, {"seeds": {}})
        entry["seeds"][str(seed)] = _training(results, training, seed, parent, configs)
    for training in results.measured:
        measurement = read_json(results.folder / "measurements" / f"{training}.json")
        trainings.setdefault(training, {"seeds": {}})["measurement"] = measurement
    evaluations: dict[str, Any] = {}
    for (training, seed, loops), provenance in sorted(results.score_provenance.items()):
        entry = evaluations.setdefault(f"{training}|{loops}", {"seeds": {}})
        files = [
            f"predictions/{training}/seed{seed}.parquet",
            f"scores/{training}/seed{seed}/loops{loops}.json",
            f"scores/{training}/seed{seed}/loops{loops}.bootstrap.parquet",
        ]
        known = {"provenance": provenance, "files": _files(results.folder, files)}
        entry["seeds"][str(seed)] = known
    return {"trainings": trainings, "evaluations": evaluations}


def again_command(results: Results, name: str) -> str:
    """The command that makes a result file from nothing, in a folder beside the present one."""
    return run_command(results, name, into=AGAIN)


def config_difference(config: str, parent_config: str, parent: str, training: str) -> str:
    """The lines in which a config differs from its parent's, as a unified difference."""
    lines = difflib.unified_diff(
        parent_config.splitlines(), config.splitlines(), parent, training, lineterm="", n=2
    )
    return "\n".join(lines)


def _configs(folder: Path) -> dict[tuple[str, int], str]:
    configs = {}
    for path in sorted((folder / "trainings").glob("*/seed*/config.py")):
        seed = path.parent.name.removeprefix("seed")
        if seed.isdigit():
            configs[path.parent.parent.name, int(seed)] = read_text(path)
    return configs


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
    folder = f"trainings/{training}/seed{seed}"
    names = [f"{folder}/{path.name}" for path in sorted((results.folder / folder).glob("[!.]*"))]
    given = (results.manifests.get((training, seed)) or {}).get("weights")
    rule = "weights" if given else "train"
    log = results.folder / "logs" / rule / f"{training}.seed{seed}.log"
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


def _files(folder: Path, names: list[str]) -> list[tuple[str, int]]:
    """(name within the results, bytes) of those that are there."""
    paths = [(name, folder / name) for name in names]
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
