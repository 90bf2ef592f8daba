# The whole paper: snakemake --profile workflow/profiles/local
# Parts of it by name: table1, table2, table3, table4, figure2, report.
from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"


# With --sdm apptainer every job runs in the image that --config container= names.
container: SETTINGS["container"]


include: "workflow/rules/slurm.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/report.smk"


onstart:
    refuse_paths_of_cluster()
    write_settings()
    prepare_slurm()
    register_claims()


# The results stand here beside the report, so that a result that was removed is made again.
rule all:
    default_target: True
    input:
        "<results>/report/index.html",
        results_of(EVALUATIONS),
    localrule: True
    message:
        "Everything is made"
