"""Under which conditions the results were made: scale, data, devices; and what they can mean."""

import shlex
from dataclasses import dataclass

from .load import Results

_KNOWN_SCALES = ("smoke", "quick", "mini", "mini_lr005", "paper")
KEPT = "measured"  # the folder beside the sources that `python -m reports keep` fills
PROFILE = "workflow/profiles/local"
_COCO_VAL_IMAGES, _COCO_CLASSES = 5000, 80
NO_MEANING = (
    "The APs here mean nothing: at scale smoke the models are tiny and train for some dozens of "
    "iterations on generated shapes. They show only that every step runs; no AP is judged."
)


@dataclass(frozen=True)
class Setting:
    """Scale, data and device in words.

    comparable: the APs may be judged against the paper's (scale `paper` on COCO 2017).
    meaningless: some result is of scale `smoke`.
    """

    scale: str
    data: str
    device: str
    seeds: str
    comparable: bool
    meaningless: bool

    @property
    def meaning(self) -> str:
        """What the APs can be used for, in one sentence or two."""
        if self.meaningless:
            return NO_MEANING
        if self.comparable:
            return (
                "Differences from the paper are judged: within 0.3 AP is a match, within 0.6 "
                "near, else different; parameters and sizes match where they are equal."
            )
        return (
            f"At scale {self.scale} on this data rows may be compared with one another, not with "
            "the paper's numbers; no AP is judged."
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
        meaningless="smoke" in scales,
    )


def run_command(results: Results, *names: str, into: str | None = None) -> str:
    """The command that makes files of results/<name>, or all, as a person would type it.

    into: another folder to make them in, from nothing.
    """
    scale = _scale_by_name(results.name)
    config = [f"scale={scale}"]
    root = (results.data or {}).get("root")
    if results.name != scale and root and not (results.data or {}).get("generated"):
        config.append(f"data={root}")
    parent = results.folder.resolve().parent
    # what is kept of a run is not run where it is kept
    base = into or ("results" if parent.name in ("results", KEPT) else str(parent))
    if results.catalogue:
        config.append(f"catalogue={results.catalogue}")
    if base != "results":
        config.append(f"results={base}")
    targets = [f"{base}/{results.name}/{name}" for name in names]
    parts = ["snakemake", "--profile", PROFILE, *targets, "--config", *config]
    return " ".join(shlex.quote(part) for part in parts)


def measured_on(results: Results, trainings: list[str]) -> str:
    """The device, the scale and the disturbance of these trainings' speed and memory, in words."""
    groups: dict[str, list[str]] = {}
    for training in dict.fromkeys(trainings):
        entry = results.measured.get(training)
        if entry and entry["timed"]:
            beside = "" if entry["alone"] else ", beside other jobs"
            words = f"{entry['device']} (scale {entry['scale']}{beside})"
            groups.setdefault(words, []).append(training)
    if len(groups) <= 1:
        return next(iter(groups), "no device yet")
    return "; ".join(f"{device}: {', '.join(names)}" for device, names in groups.items())


def _scale_by_name(name: str) -> str:
    return next(
        (scale for scale in _KNOWN_SCALES if name == scale or name.startswith(f"{scale}-")), name
    )


def _device(manifest: dict) -> str:
    world_size = manifest.get("world_size") or 1
    return f"{world_size} x {manifest['device']}" if world_size > 1 else str(manifest["device"])


def _data(results: Results) -> str:
    if results.data is None:
        return "unknown (no data.json)"
    data = results.data
    splits = data.get("splits") or {}
    counts = ", ".join(
        f"{(splits.get(split) or {}).get('image_count', '?')} {split} images"
        for split in ("train", "val")
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
