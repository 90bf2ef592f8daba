# Between the reading of the rules and the first job: wrong targets, bad rows, jobs of an earlier run, the claims.
import contextlib
import functools
import importlib.util
import io
import shlex
import subprocess
import sys

from r3cnn.core.errors import UserError
from r3cnn.core.schema import shown
from r3cnn.core.settings import require_known_targets, require_own_targets
from snakemake.cli import parse_args
from snakemake.logging import logger


include: "slurm.smk"


def require_targets():
    """Stop for an unknown target, or for a file of another run; Snakemake itself ends with an exception."""
    rules = ["all", *(rule.name for rule in workflow.rules)]
    with contextlib.redirect_stderr(io.StringIO()):  # it names the profile once more
        _, arguments = parse_args(sys.argv[1:])
    try:
        require_known_targets(arguments.targets, rules)
        require_own_targets(arguments.targets, SETTINGS["results"], RESULTS)
    except UserError as error:
        sys.exit(f"error: {error}")


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
    """Write down each claim's hash before its trainings begin.

    No rule has the file as input, so an edited claim trains nothing; the report says that it was changed.
    """
    command = ["-m", "reports", "register", "--claims", CLAIMS, "--results", RESULTS]
    if subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL).returncode:
        sys.exit(1)


def prepared(execute):
    """A dry run first checks the rows; a run first waits for the jobs that an earlier one left on Slurm.

    Only these execute: --lint, --list, --summary, --dag, --report and --unlock have nothing to wait for.
    """

    @functools.wraps(execute)
    def run(*, executor_plugin, **settings):
        how = executor_plugin.common_settings
        if how.dryrun_exec:
            check_rows()
        elif not how.touch_exec:
            wait_for_live_jobs(submits=how.non_local_exec)
        return execute(executor_plugin=executor_plugin, **settings)

    return run


workflow.execute = prepared(workflow.execute)

# What a person names on the command line; jobs and workflows that use this one as a module have targets of their own.
if workflow.is_main_process and not IS_MODULE:
    require_targets()
