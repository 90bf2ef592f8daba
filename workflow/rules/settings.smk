# What --config says, and what follows from it: the scale, the data, the results' folder, the backbone's weights.
import dataclasses
import os
import re
import sys
from pathlib import Path

from r3cnn.catalogue import load_scale
from r3cnn.core.errors import UserError
from r3cnn.core.files import read_json, write_json
from r3cnn.core.layout import RunFolder
from r3cnn.core.schema import choice, read_checked, shown
from r3cnn.core.settings import require_one, texts
from snakemake.logging import logger

# Keys of --config that have a new name; the old one works until version 0.3.
RENAMED = {"trunk": "backbone"}

# Keys of --config that are paths, or may be.
PATHS = ("scale", "data", "catalogue", "backbone", "results")


def read_settings():
    """The keys of --config, and of config/config.yaml those that it does not say."""
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    file = read_checked(ROOT / "config" / "config.yaml", schema)
    defaults = texts(file, [])
    require_one(sys.argv)
    for key in config:
        if RENAMED.get(key, key) not in defaults:
            raise UserError(f"--config {key}: unknown key; {choice(key, defaults)}")
        if key in RENAMED and workflow.is_main_process:
            logger.warning(
                f"--config {key} is now called {RENAMED[key]}; {key} will be removed in version 0.3"
            )
    # what is typed is for the workflow that uses this one as a module
    typed = texts(config, [] if IS_MODULE else workflow.config_settings.config_args)
    given = {RENAMED.get(key, key): value for key, value in typed.items() if value is not None}
    settings = defaults | given
    for key in PATHS:
        if settings[key] is not None:
            require_path(key, settings[key])
            settings[key] = normal(key, settings[key])
    return settings


def normal(key, path):
    """One spelling of a path, as a job runs again where its text changes; `./random` and `./mini` stay files."""
    plain = os.path.normpath(path)
    may_be_a_name = key in ("scale", "backbone") and not Path(plain).suffix
    return path if may_be_a_name and os.sep in path and os.sep not in plain else plain


def require_path(key, path):
    """Raise UserError for a path that Snakemake cannot carry: it reads braces and <> as names of its own."""
    if not path:
        raise UserError(f"config: {key}: found nothing; write a value or remove it")
    if found := re.search(r"[{}<>\x00-\x1f\x7f]", path):
        raise UserError(
            f"--config {key}: found {path!r}; Snakemake cannot pass on {found[0]!r}; choose a path without it"
        )


def refuse_paths_of_cluster():
    """Stop where a value would not reach the jobs of a cluster whole: two shells read it on its way."""
    for key in PATHS if not workflow.local_exec else ():
        value = SETTINGS[key] or ""
        if found := re.search(r"[$`\\]", repr(value)):
            sys.exit(
                f"error: --config {key}: found {value!r}; {found[0]!r} does not reach the jobs of a cluster "
                "(nor do an apostrophe and a quotation mark together), choose a path without it"
            )


def chosen_scale():
    """The scale, with the seeds of --config in place of its own."""
    scale, seeds = load_scale(SETTINGS["scale"]), SETTINGS["seeds"]
    if seeds is None:
        return scale
    found = re.split(r"[,\s]+", seeds.strip("()[] "))
    whole = all(re.fullmatch(r"\d+", seed) for seed in found)
    if not whole or len(set(map(int, found))) < len(found):
        raise UserError(
            f"--config seeds: found {seeds!r}; expected different whole numbers, such as seeds=0,1,2"
        )
    return dataclasses.replace(scale, seeds=tuple(int(seed) for seed in found))


def data_and_results():
    """The data's folder, and the results': by the scale, and by data that are not the scale's own.

    Where nothing is trained the validation images do, and their check must not take the place of a whole one.
    """
    name = SCALE.name
    if SETTINGS["data"] is not None:
        folder, key = SETTINGS["data"], "--config data"
        named = re.sub(r"[^A-Za-z0-9._-]", "_", Path(folder).resolve().name)
        name = f"{name}-{named}"
    elif "folder" in SCALE.data:
        folder, key = SCALE.data["folder"], f"{shown(SCALE.path)}: data.folder"
    else:
        return f"{SETTINGS['results']}/{name}/data", f"{SETTINGS['results']}/{name}"
    if not Path(folder).is_dir():
        raise UserError(
            f"{key}: there is no folder {folder}; expected COCO 2017's layout "
            "(annotations, train2017, val2017)"
        )
    if not CATALOGUE.trains:
        name = f"{name}-val"
    return folder, f"{SETTINGS['results']}/{name}"


def backbone_weights():
    """The backbone's weights, a file on disk or `random`; small networks have none and get None.

    Where nothing is trained no training begins with them.
    """
    if SCALE.network is not None and SETTINGS["backbone"] is None:
        return None
    if not CATALOGUE.trains and SETTINGS["backbone"] is None:
        return "random"
    backbone = SETTINGS["backbone"] or "data/resnet50-0676ba61.pth"
    if backbone != "random" and not Path(backbone).is_file():
        raise UserError(
            f"--config backbone: there is no file {backbone}; get ResNet-50's weights with `python -m r3cnn "
            "data backbone --to data`, or name a file, or `random`"
        )
    return backbone


def refuse_results_of_other_data():
    """Stop where the results' folder was made from another data folder."""
    check = RunFolder(Path(RESULTS)).data
    root = read_json(check).get("root") if check.is_file() else DATA
    if not isinstance(root, str):
        raise UserError(
            f"{check}: root: found {root!r}, expected the data's folder; delete this file, the run makes it again"
        )
    if Path(root).resolve() != Path(DATA).resolve():
        raise UserError(
            f"{check}: root: these are results of {root}, not of {DATA}; "
            "choose another folder with --config results=DIR, or remove this one"
        )


def write_settings():
    """Write down what --config said, for the commands that the report shows; no rule has it as input."""
    given = {key: value for key, value in SETTINGS.items() if value is not None}
    # a relative path stays as it is: without its ./ a file named `random` would be the keyword
    absolute = [key for key in PATHS if key in given and os.path.isabs(given[key])]
    given |= {key: shown(Path(given[key])) for key in absolute}
    try:
        path = RunFolder(Path(RESULTS)).settings
        write_json(path, given | {"trainings": list(CATALOGUE.trainings)})
    except UserError as error:
        sys.exit(f"error: {error}")
