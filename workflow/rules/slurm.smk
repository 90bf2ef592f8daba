# What a run on Slurm needs beside its profile: it waits for the jobs that an earlier run left, has Slurm judge
# the flags of its jobs before it submits any, and ends where Slurm has been silent for too long.
import functools
import shlex

# What sbatch puts before its words.
PREFIXES = re.compile(r"^((sbatch|error|allocation failure): *)+")


def leaves_alone():
    """Whether this is a part of another run, or a folder whose lock Snakemake itself will respect."""
    return not workflow.is_main_process or any(Path(".snakemake", "locks").glob("*"))


def wait_for_live_jobs(submits):
    """What an earlier Snakemake left on Slurm must end before the DAG is built, or it would run twice."""
    if shutil.which("squeue") is None or leaves_alone():
        return
    script = ROOT / "workflow" / "scripts" / "wait_for_jobs.sh"
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


def prepare_slurm():
    """Before the first job is submitted."""
    if workflow.executor_plugin.name == "slurm" and workflow.is_main_process:
        require_accepted_flags(workflow.scheduler._executor)
        end_with_lost_jobs(workflow.scheduler._executor)


# ------------------------------------------------------------------ refusals


def require_accepted_flags(executor):
    """End with Slurm's own words where it refuses jobs as they would be submitted."""
    for flags, rules in submissions(executor).items():
        words = refusal(f"{flags} --test-only")
        if words is None:
            continue
        # A site may disable --test-only, and it refuses what would only wait, as for nodes that are down:
        # then a real submission decides, of a job that does nothing and is cancelled.
        certain = refusal(flags)
        if certain is not None:
            stop_at_refusal(rules, certain, flags)
        logger.warning(
            f"`sbatch --test-only` does not answer for the jobs of {', '.join(rules)} ({words}), but Slurm takes them"
        )


def submissions(executor):
    """What the jobs to come are submitted with, {sbatch and its flags: names of rules}."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string
    from snakemake_interface_common.exceptions import WorkflowError

    found = {}
    for job in workflow.dag.needrun_jobs():
        if job.is_local:
            continue
        same = {"slurm_logfile": "test.log", "comment_str": "test", "workdir": None}
        try:
            same |= {
                "run_uuid": "r3cnn-test",
                "account": next(executor.get_account_arg(job)),
                "partition": executor.get_partition_arg(job),
            }
        except WorkflowError as error:
            stop_at_refusal([job.rule.name], " ".join(str(error).split()))
        flags = get_submit_command(job, same, settings=workflow.executor_settings)
        found.setdefault(flags + set_gres_string(job), set()).add(job.rule.name)
    return {flags: sorted(rules) for flags, rules in found.items()}


def refusal(submit):
    """Slurm's words where it refuses a job; None where it takes it, and then the job is cancelled."""
    done = subprocess.run(
        [*shlex.split(submit), "--wrap", "true"], capture_output=True, text=True, timeout=300
    )
    if done.returncode == 0:
        if number := done.stdout.strip().partition(";")[0]:
            subprocess.run(["scancel", number], capture_output=True, timeout=300)
        return None
    lines = [PREFIXES.sub("", line).strip() for line in done.stderr.splitlines()]
    return "; ".join(filter(None, lines)) or f"exit code {done.returncode}"


def stop_at_refusal(rules, words, flags=""):
    """One line; `r3cnn status` finds it in Snakemake's log."""
    told = f" (as asked: {flags.partition('--comment test')[2].strip()})" if flags else ""
    logger.error(
        f"error: Slurm refuses the jobs of {', '.join(rules)}: {words}{told}; nothing was submitted: "
        "correct the first lines of slurm/config.yaml"
    )
    sys.exit(1)


# ------------------------------------------------------------------ outages


def end_with_lost_jobs(executor):
    """Raise where the plugin gives its jobs up: it would wait for them for ever, without a word."""
    from snakemake_interface_common.exceptions import WorkflowError

    check, settled = executor.check_active_jobs, []
    for name in ("report_job_success", "report_job_error"):
        setattr(executor, name, noting(getattr(executor, name), settled))

    async def checked(active_jobs):
        settled.clear()
        kept = []
        async for job in check(active_jobs):
            kept.append(job)
            yield job
        lost = [job for job in active_jobs if job not in kept and job not in settled]
        if lost:
            jobs = ", ".join(job.external_jobid for job in lost)
            attempts = workflow.executor_settings.status_attempts
            command = shlex.join(["snakemake", *sys.argv[1:]])
            raise WorkflowError(
                f"error: Slurm did not tell the state of jobs {jobs} in {attempts} attempts; they may go on. "
                f"When `squeue` works again, continue with: {command}"
            )

    executor.check_active_jobs = checked


def noting(report, settled):
    """The same report, which also keeps whose it was."""

    @functools.wraps(report)
    def noted(job, *arguments, **named):
        settled.append(job)
        return report(job, *arguments, **named)

    return noted
