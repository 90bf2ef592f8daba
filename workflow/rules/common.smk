# Shared by all rules: the settings, the catalogue, and which files belong to a result.
# Mistakes in them stop Snakemake here, before any job, with one line.
import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from r3cnn.catalogue import load_catalogue, load_scale
from r3cnn.core.errors import UserError
from r3cnn.core.files import write_atomically, write_json
from r3cnn.core.layout import CHECKOUT, REPORT_CHARTS, RunFolder
from r3cnn.core.schema import choice, read_checked, shown
from r3cnn.core.settings import require_known_targets, require_one, require_own_targets, texts
from snakemake.cli import parse_args
from snakemake.logging import logger

# The checkout that these rules stand in: Snakemake may work elsewhere, or another workflow use them as a module.
# A module from an address has none, so there it is that of the installed project.
HERE = workflow.current_basedir
ROOT = (
    Path(HERE.get_path_or_uri(secret_free=True)).parents[1] if HERE.is_local else CHECKOUT or Path()
)


def before(name, *folders):
    """The value of a variable of paths with these folders before its own."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get(name)])])


os.environ.update(
    # `python` is the one that runs Snakemake, even where its environment is not activated
    PATH=before("PATH", Path(sys.executable).parent, ROOT / "workflow" / "scripts"),
    PYTHONPATH=before("PYTHONPATH", ROOT),  # `-m reports`, `-m r3cnn`: those of the checkout
    PYTHONUTF8="1",  # names and texts are UTF-8, whatever the login says
)

TABLES_SCHEMA = ROOT / "reports" / "schemas" / "tables.schema.yaml"

# Keys of --config that have a new name; the old one works until version 0.3.
RENAMED = {"trunk": "backbone"}

# Keys of --config that are paths, or may be.
PATHS = ("scale", "data", "catalogue", "backbone", "results")

IS_MODULE = not workflow.modifier.is_main_snakefile()

# Slurm knows no total of cores.
ALL_CORES = workflow.resource_settings.cores or 8


def read_settings():
    """The keys of --config, and of config/config.yaml those that it does not say."""
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    file = read_checked(ROOT / "config" / "config.yaml", schema)
    defaults = texts(file, [])
    require_one(sys.argv)
    # what is typed is for the workflow that uses this one as a module
    typed = texts(config, [] if IS_MODULE else workflow.config_settings.config_args)
    for key in config:
        if RENAMED.get(key, key) not in defaults:
            raise UserError(f"--config {key}: unknown key; {choice(key, defaults)}")
        if key in RENAMED and workflow.is_main_process:
            logger.warning(
                f"--config {key} is now called {RENAMED[key]}; {key} will be removed in version 0.3"
            )
    given = {RENAMED.get(key, key): value for key, value in typed.items() if value is not None}
    for key in PATHS:
        require_path(key, given.get(key, ""))
    return defaults | given


def require_path(key, path):
    """Raise UserError for a path that Snakemake cannot carry: it reads braces and <> as names of its own."""
    if found := re.search(r"[{}<>\x00-\x1f\x7f]", path):
        raise UserError(
            f"--config {key}: found {path!r}; Snakemake cannot pass on {found[0]!r}; choose a path without it"
        )


def require_targets():
    """Stop for an unknown target; Snakemake itself ends with an exception."""
    rules = ["all", *(rule.name for rule in workflow.rules)]
    with contextlib.redirect_stderr(io.StringIO()):  # it names the profile once more
        _, arguments = parse_args(sys.argv[1:])
    try:
        require_known_targets(arguments.targets, rules)
    except UserError as error:
        sys.exit(f"error: {error}")


def tells(record):
    """Whether a line of Snakemake's log says something; two for each job that starts do not."""
    return not re.match(r"Select jobs to execute|Execute \d+ jobs", record.getMessage())


logger.addFilter(tells)


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
    if not all(re.fullmatch(r"\d+", seed) for seed in found) or len(set(found)) < len(found):
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
    check = Path(RESULTS, "data.json")
    root = json.loads(check.read_text(encoding="utf-8"))["root"] if check.is_file() else DATA
    if Path(root).resolve() != Path(DATA).resolve():
        raise UserError(
            f"{check}: root: these are results of {root}, not of {DATA}; "
            "choose another folder with --config results=DIR, or remove this one"
        )


def chain_of_tables(file):
    """The catalogue's file of tables, and before it those that it extends."""
    chain = []
    while file is not None:
        if file in chain:
            raise UserError(f"{shown(file)}: extends: leads back to this file; remove it from one")
        chain.insert(0, file)
        base = read_checked(file, TABLES_SCHEMA).get("extends")
        file = base and Path(os.path.normpath(file.parent / base))
    return chain


def read_charts():
    """What the report draws of the rows, {name: chart}; every cell must be an evaluation that is made."""
    charts = {}
    for file in TABLE_FILES:
        charts |= read_checked(file, TABLES_SCHEMA).get("charts", {})
    for name, chart in charts.items():
        for id in chart.get("trainings", ()):
            for loops in chart["loops"]:
                require_evaluation(name, id, loops)
    return charts


def read_tables():
    """The tables of the catalogue, {name: table}; every row must show an evaluation that is made."""
    if CATALOGUE.tables is None:
        return {}
    tables = {}
    for file in TABLE_FILES:
        for name, table in read_checked(file, TABLES_SCHEMA)["tables"].items():
            published = (
                {"published": file.parent / table["published"]} if "published" in table else {}
            )
            tables[name] = table | published
    for name, table in tables.items():
        for number, row in enumerate(table["rows"], start=1):
            require_evaluation(f"{name}, row {number}", row["training"], row["loops"])
    return tables


def require_evaluation(where, id, loops):
    """Raise UserError where the catalogue does not evaluate a training with these loops."""
    made = CATALOGUE.evaluations.get(id, ())
    if loops not in made:
        known = f"expected loops of {made}" if made else choice(id, CATALOGUE.evaluations)
        if id in CATALOGUE.stated_in:
            known += f", as {shown(CATALOGUE.stated_in[id])} says, or more loops there"
        raise UserError(
            f"{shown(CATALOGUE.tables)}: {where}: training {id} with loops "
            f"{loops} is no evaluation of the catalogue; {known}"
        )


try:
    SETTINGS = read_settings()
    SCALE = chosen_scale()
    CATALOGUE = load_catalogue(SETTINGS["catalogue"])
    DATA, RESULTS = data_and_results()
    if not IS_MODULE:
        require_own_targets(sys.argv[1:], SETTINGS["results"], RESULTS)
    refuse_results_of_other_data()
    BACKBONE = backbone_weights()
    TABLE_FILES = chain_of_tables(CATALOGUE.tables)
    TABLES, CHARTS = read_tables(), read_charts()
    for training in CATALOGUE.trainings.values():
        SCALE.schedule(training.schedule)
    CONFIG_FILES = {
        id: [shown(f) for f in t.config_files()] for id, t in CATALOGUE.trainings.items()
    }
except UserError as error:
    sys.exit(f"error: {error}")

GENERATED = "shapes" in SCALE.data and SETTINGS["data"] is None
VAL_ONLY = not GENERATED and not CATALOGUE.trains
EVALUATIONS = [(id, loops) for id, made in CATALOGUE.evaluations.items() for loops in made]
FIGURE2 = [id for id in ("mask_3x", "r3_naive_dec", "r3_naive_inc") if id in CATALOGUE.trainings]


wildcard_constraints:
    id="[a-z0-9_]+",
    seed=r"\d+",
    loops=r"\d+",


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


def annotation_sizes():
    """Bytes of a given folder's annotations: a changed file is noticed, a copied folder is not."""
    wanted = "instances_val2017.json" if VAL_ONLY else "instances_*2017.json"
    files = [] if GENERATED else sorted(Path(DATA, "annotations").glob(wanted))
    return {file.name: file.stat().st_size for file in files}


def write_settings():
    """For the commands that the report shows. Neither input nor parameter of a rule, as claims.json is."""
    given = {key: value for key, value in SETTINGS.items() if value is not None}
    given |= {key: shown(Path(given[key])) for key in PATHS if key in given}
    try:
        path = RunFolder(Path(RESULTS)).settings
        write_json(path, given | {"trainings": list(CATALOGUE.trainings)})
    except UserError as error:
        sys.exit(f"error: {error}")


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


def table_files(*names):
    """The file of tables, and the published numbers beside it that some tables show."""
    published = [TABLES[name]["published"] for name in names if "published" in TABLES[name]]
    return [shown(file) for file in (*reversed(TABLE_FILES), *published)]


def check_rows():
    """Stop a dry run for a row that cannot be trained; in a run, rule `resolve` says so before any training."""
    if SETTINGS["catalogue"] is None:
        return
    # with --sdm conda the jobs have mmdet, and Snakemake's own environment need not
    if importlib.util.find_spec("mmdet") is None:
        logger.warning(
            "The options of the catalogue's rows are not checked: mmdet is not installed here"
        )
        return
    command = ["-m", "r3cnn", "resolve", "--scale", shown(SCALE.path)]
    command += ["--catalogue", SETTINGS["catalogue"]]
    done = subprocess.run([sys.executable, *command], capture_output=True, encoding="utf-8")
    if done.returncode:
        unknown = f"error: {SETTINGS['catalogue']}: cannot be checked; see `{shlex.join(['python', *command])}`"
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        sys.exit([unknown, *said][-1])


def register_claims():
    """Neither input nor parameter of a rule: an edited claim trains nothing, and the report says so."""
    command = ["-m", "reports", "register", "--claims", CLAIMS, "--results", RESULTS]
    if subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL).returncode:
        sys.exit(1)
