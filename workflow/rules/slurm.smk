# What a run on Slurm needs beside its profile: it waits for the jobs that an earlier run left.
import functools


def leaves_alone():
    """Whether this is a part of another run, or a folder whose lock Snakemake itself will respect."""
    return not workflow.is_main_process or any(Path(".snakemake", "locks").glob("*"))


def wait_for_live_jobs(submits):
    """What an earlier Snakemake left on Slurm must end before the DAG is built, or it would run twice."""
    if shutil.which("squeue") is None or leaves_alone():
        return
    script = Path(workflow.basedir, "workflow", "scripts", "wait_for_jobs.sh")
    if subprocess.run(["bash", script]).returncode == 0:
        return
    if submits:
        sys.exit("error: Slurm does not answer; start again when `squeue --me` works here")
    logger.warning("Slurm does not answer: going on as if no job of this folder were left there")


def waiting_first(execute):
    """Only a run executes: --lint, --list, --summary, --dag, --report and --unlock have nothing to wait for."""

    @functools.wraps(execute)
    def after_live_jobs(*, executor_plugin, **settings):
        how = executor_plugin.common_settings
        if not (how.dryrun_exec or how.touch_exec):
            wait_for_live_jobs(submits=how.non_local_exec)
        return execute(executor_plugin=executor_plugin, **settings)

    return after_live_jobs


workflow.execute = waiting_first(workflow.execute)
