# Inputs and parameters that rules take from the scale and the catalogue.
from pathlib import Path

from r3cnn.core.schema import shown


def annotation_sizes():
    """Bytes of a given folder's annotations: a changed file is noticed, a copied folder is not."""
    wanted = "instances_val2017.json" if VAL_ONLY else "instances_*2017.json"
    files = [] if GENERATED else sorted(Path(DATA, "annotations").glob(wanted))
    return {file.name: file.stat().st_size for file in files}


def training_of(wildcards):
    """The catalogue's entry as values: a job runs again where one of them changes."""
    return CATALOGUE.trainings[wildcards.id].settings()


def scale_of(wildcards):
    """What a training takes from the scale, as values."""
    return SCALE.settings(CATALOGUE.trainings[wildcards.id].schedule)


def weights_of(wildcards):
    """The checkpoint that takes the place of a training."""
    return CATALOGUE.trainings[wildcards.id].weights


def trained_as(wildcards):
    """The finished training whose weights another one takes: its manifest, and what comes with it."""
    folder = (
        f"<results>/trainings/{CATALOGUE.trainings[wildcards.id].trained_as}/seed{wildcards.seed}"
    )
    return [f"{folder}/{name}" for name in ("manifest.json", "checkpoint.pth", "config.py")]


def catalogue_of(wildcards):
    """The catalogue that a training stands in, so that a user's own leaves the paper's as they are."""
    return shown(CATALOGUE.trainings[wildcards.id].catalogue)


def loops_of(wildcards):
    """Every L_e of a training."""
    return list(CATALOGUE.evaluations[wildcards.id])


def results_of(evaluations):
    """The result files behind some (id, loops), over all seeds."""
    ids = dict.fromkeys(id for id, _ in evaluations)
    files = [f"<results>/measurements/{id}.json" for id in ids]
    for seed in SCALE.seeds:
        files += [f"<results>/trainings/{id}/seed{seed}/manifest.json" for id in ids]
        for kind in ("json", "bootstrap.parquet", "errors.json"):
            files += [f"<results>/scores/{id}/seed{seed}/loops{n}.{kind}" for id, n in evaluations]
    return files
