"""Conditions of the results: scale, data, devices; and what the numbers can mean."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from .load import Results

_KNOWN_SCALES = ("smoke", "quick", "mini", "mini_trial", "paper-pilot", "paper")
KEPT = "measured"  # the folder next to the sources that `python -m reports keep` fills
PROFILE = "workflow/profiles/local"
CONFIG_KEYS = ("scale", "data", "catalogue", "backbone", "seeds", "results")
OF_TRAININGS = ("trainings", "predictions", "scores", "measurements")  # <folder>/<id>...
# Points of AP; the spread of seeds of Mask R-CNN on COCO has a standard deviation of about 0.1.
MATCH, NEAR = Decimal("0.3"), Decimal("0.6")
SAME_WEIGHTS = Decimal("0.1")  # by which two evaluations of the same weights may differ
_COCO_VAL_IMAGES, _COCO_CLASSES = 5000, 80
NO_MEANING = {
    "smoke": "The APs here mean nothing: at scale smoke the models are tiny and train for some dozens of "
    "iterations on generated shapes. They show only that every step runs; no AP is judged.",
    "paper-pilot": "The APs here mean nothing: a pilot trains for 1,000 steps, to measure what the whole costs. "
    "No AP is judged.",
}


@dataclass(frozen=True)
class Setting:
    """Scale, data and device in words.

    comparable: the APs may be judged against the paper's (scale `paper` on COCO 2017).
    meaningless: some result is of scale `smoke` or of a pilot.
    warnings: what `data check` says of each split: above all, what of it is left out.
    """

    scale: str
    data: str
    device: str
    seeds: str
    comparable: bool
    meaningless: bool
    warnings: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What the APs can be used for, in one sentence or two."""
        return self.meaning_beside("the paper")

    def meaning_beside(self, whose: str) -> str:
        """The same where the published numbers are another's (`whose`)."""
        if self.meaningless:
            return next(
                words for name, words in NO_MEANING.items() if name in self.scale.split(", ")
            )
        if self.comparable:
            return (
                f"Differences from {whose} are judged: within {MATCH} AP is a match, within {NEAR} "
                "near, else different; parameters and sizes match where they are equal."
            )
        return (
            f"At scale {self.scale} on this data rows may be compared with one another, not with "
            f"{whose}'s numbers; no AP is judged."
        )

    def meaning_of_weights(self, whose: str) -> str:
        """The same where the published APs are of these very weights."""
        if not self.comparable:
            return self.meaning_beside(whose)
        return (
            f"The weights are those of {whose}, so our APs should equal its: a difference of up to {SAME_WEIGHTS} "
            "AP is a match, a larger one different."
        )

    @property
    def line(self) -> str:
        """One line to stand under a table or a figure."""
        return (
            f"Scale: {self.scale}. Data: {self.data}. Trained on: {self.device}. "
            f"Seeds: {self.seeds}."
        )


def setting_of(results: Results) -> Setting:
    """The conditions of a results folder, from its manifests, measurements and data.json."""
    scales = {str(manifest.get("scale") or "unknown") for manifest in results.manifests.values()}
    scales = scales or {_scale_by_name(results.name)}
    devices = {
        _device(manifest)
        for manifest in results.manifests.values()
        if manifest.get("device") and not manifest.get("weights")
    }
    given = bool(results.manifests) and all(m.get("weights") for m in results.manifests.values())
    seeds = {seed for _, seed in results.manifests} | {key[1] for key in results.score_provenance}
    return Setting(
        scale=", ".join(sorted(scales)),
        data=_data(results),
        device="no training here, weights given"
        if given
        else "; ".join(sorted(devices)) or "unknown",
        seeds=", ".join(map(str, sorted(seeds))) or "none",
        comparable=scales == {"paper"} and _is_coco(results),
        meaningless=not scales.isdisjoint(NO_MEANING),
        warnings=tuple(_warnings(results)),
    )


def run_command(results: Results, *names: str, into: str | None = None) -> str:
    """The command that makes files of results/<name>, or all, as a person would type it.

    into: another folder to make them in, from nothing.
    """
    settings = dict(results.settings or _guessed(results))
    if results.catalogue and _of_its_catalogue(results, names):
        settings["catalogue"] = results.catalogue
    else:
        settings.pop("catalogue", None)
    settings["results"] = base = into or _base(results)
    if base == "results":
        del settings["results"]
    config = [f"{key}={settings[key]}" for key in CONFIG_KEYS if key in settings]
    targets = [f"{base}/{results.name}/{name}" for name in names]
    parts = ["snakemake", "--profile", PROFILE, *targets, "--config", *config]
    return " ".join(shlex.quote(part) for part in parts)


def paper_command(results: Results, name: str) -> str:
    """`run_command` of a file of one of the paper's trainings, which a user's own catalogue need not have."""
    return run_command(results if results.settings else replace(results, catalogue=None), name)


def _guessed(results: Results) -> dict[str, str]:
    """The settings of a folder without settings.json, guessed from its name and data."""
    scale = _scale_by_name(results.name)
    data = results.data or {}
    own = results.name != scale and data.get("root") and not data.get("generated")
    return {"scale": scale} | ({"data": str(data["root"])} if own else {})


def _base(results: Results) -> str:
    """The folder above results/<name>, as --config results= names it."""
    parent = results.folder.resolve().parent
    told = results.settings.get("results")
    if told and Path(told).resolve() == parent:
        return told
    # a kept run is run again under results/, not in measured/
    return "results" if parent.name in ("results", KEPT) else str(parent)


def _of_its_catalogue(results: Results, names: Sequence[str]) -> bool:
    """Whether files are of trainings that the run's catalogue has; others are the paper's."""
    known = results.settings.get("trainings")
    ids = {Path(path.parts[1]).stem for path in map(Path, names) if path.parts[0] in OF_TRAININGS}
    return known is None or ids <= set(known)


def measured_on(results: Results, trainings: list[str]) -> str:
    """The device, the scale and the disturbance of these trainings' speed and memory; '' if there is none."""
    groups: dict[str, list[str]] = {}
    for training in dict.fromkeys(trainings):
        entry = results.measured.get(training)
        if entry and entry["timed"]:
            beside = "" if entry["alone"] else ", with other jobs running"
            words = f"{entry['device']} (scale {entry['scale']}{beside})"
            groups.setdefault(words, []).append(training)
    if len(groups) <= 1:
        return next(iter(groups), "")
    return "; ".join(f"{device}: {', '.join(names)}" for device, names in groups.items())


def _scale_by_name(name: str) -> str:
    return next(
        (scale for scale in _KNOWN_SCALES if name == scale or name.startswith(f"{scale}-")), name
    )


def _device(manifest: dict) -> str:
    world_size = manifest.get("world_size") or 1
    # manifests of version 0.1 say "1 threads"
    device = re.sub(r"\b1 threads\b", "1 thread", str(manifest["device"]))
    return f"{world_size} x {device}" if world_size > 1 else device


def _data(results: Results) -> str:
    if results.data is None:
        return "unknown (no data.json)"
    data = results.data
    splits = data.get("splits") or {}
    counts = ", ".join(
        f"{(splits.get(split) or {}).get('image_count', '?')} {split} images"
        for split in splits or ("train", "val")
    )
    source = "generated shapes" if data.get("generated") else str(data.get("root", "unknown"))
    name = "COCO 2017" if _is_coco(results) else source
    return f"{name} ({counts}, {len(data.get('classes') or [])} classes)"


def _is_coco(results: Results) -> bool:
    data = results.data or {}
    val = (data.get("splits") or {}).get("val") or {}
    return (
        not data.get("generated")
        and len(data.get("classes") or []) == _COCO_CLASSES
        and val.get("image_count") == _COCO_VAL_IMAGES
    )


def _warnings(results: Results) -> Iterator[str]:
    for split, entry in ((results.data or {}).get("splits") or {}).items():
        yield from (f"{split}: {line}" for line in entry.get("warnings") or ())
