# The checkout, the settings and the catalogue; and which files belong to a result. Shared by all rules.
# Mistakes in them stop Snakemake here, before any job, with one line.
import os
import sys
from pathlib import Path

from r3cnn.catalogue import load_catalogue
from r3cnn.core.errors import UserError
from r3cnn.core.layout import CHECKOUT
from r3cnn.core.schema import shown

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

IS_MODULE = not workflow.modifier.is_main_snakefile()

# Slurm knows no total of cores.
ALL_CORES = workflow.resource_settings.cores or 8


include: "settings.smk"
include: "tables.smk"


try:
    SETTINGS = read_settings()
    SCALE = chosen_scale()
    CATALOGUE = load_catalogue(SETTINGS["catalogue"])
    DATA, RESULTS = data_and_results()
    refuse_results_of_other_data()
    BACKBONE = backbone_weights()
    TABLE_FILES = chain_of_tables(CATALOGUE.tables)
    TABLES, CHARTS = read_tables(), read_charts()
    require_own_names(TABLES, CHARTS)
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


wildcard_constraints:
    id="[a-z0-9_]+",
    seed=r"\d+",
    loops=r"\d+",


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


include: "inputs.smk"
