# Runs on Slurm, in addition to the profile: wait for the jobs of an earlier run, let Slurm check the flags before any job
# is submitted, check a GPU node before the first training, and stop if Slurm does not answer for too long.
import functools
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from r3cnn.core.errors import UserError
from r3cnn.core.files import write_atomically
from r3cnn.core.layout import RunFolder
from r3cnn.core.schema import shown
from snakemake.logging import logger

PATIENCE = 300  # seconds that Slurm may take to answer one command

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


def prepare_slurm():
    """Before the first job is submitted."""
    if workflow.executor_plugin.name == "slurm" and workflow.is_main_process:
        if shutil.which("sbatch") is None:
            sys.exit(
                "error: no sbatch on this machine; start where jobs are submitted, or use "
                "--profile workflow/profiles/local or workflow/profiles/gpu"
            )
        require_accepted_flags(workflow.scheduler._executor)
        examine_gpu_node(workflow.scheduler._executor)
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
    found = {}
    for job in workflow.dag.needrun_jobs():
        if not job.is_local:
            found.setdefault(submission(executor, job), set()).add(job.rule.name)
    return {flags: sorted(rules) for flags, rules in found.items()}


def submission(executor, job, name="test", log="test.log"):
    """sbatch and its flags, as the plugin would submit a job; name: in place of the job's own."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string
    from snakemake_interface_common.exceptions import WorkflowError

    about = {
        "slurm_logfile": log,
        "comment_str": name,
        "workdir": None,
        "run_uuid": f"r3cnn-{name}",
    }
    try:
        about["account"] = next(executor.get_account_arg(job))
        about["partition"] = executor.get_partition_arg(job)
    except WorkflowError as error:
        stop_at_refusal([job.rule.name], " ".join(str(error).split()))
    flags = get_submit_command(job, about, settings=workflow.executor_settings)
    return flags + set_gres_string(job)


def refusal(submit):
    """Slurm's words where it refuses a job; None where it takes it, and then the job is cancelled."""
    try:
        done = subprocess.run(
            [*shlex.split(submit), "--wrap", "true"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode == 0:
            if number := done.stdout.strip().partition(";")[0]:
                subprocess.run(["scancel", number], capture_output=True, timeout=PATIENCE)
            return None
    except subprocess.TimeoutExpired as error:
        return f"{error.cmd[0]} has not answered for {PATIENCE} s"
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


# ------------------------------------------------------------------ a GPU node, before the first training

# After those of a training, whose partition, account and constraint stay: one GPU for some minutes.
ONE_GPU = (
    "--nodes=1 --ntasks=1 --ntasks-per-node=1 --mem=8000 --time=15 --signal=TERM@5 --no-requeue"
)


def examine_gpu_node(executor):
    """End with the doctor's words where a GPU node cannot train: days of queue would come before the first fault."""
    told = RunFolder(Path(RESULTS)).doctor
    training = [job for job in workflow.dag.needrun_jobs() if job.resources.get("examined")]
    if not training or told.is_file():
        return
    log = Path(RESULTS, "logs", "doctor.log").resolve()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    logger.info(
        f"A GPU node is examined before the first training, a minute once Slurm has one: {shown(log)}"
    )
    done = subprocess.run(
        doctors_submission(executor, training[0], log), capture_output=True, text=True
    )
    said = words_of(log)
    if done.returncode == 0:
        try:
            write_atomically(told, said)
        except UserError as error:
            sys.exit(f"error: {error}")
    elif said:
        broken = [line for line in said.splitlines() if line.startswith("BROKEN")]
        logger.error(
            f"error: a GPU node cannot train: {(broken or said.splitlines()[-1:])[0]}; nothing was submitted: fix it "
            f"(all findings: {shown(log)}), or set `examine: false` in slurm/config.yaml"
        )
        sys.exit(1)
    else:
        words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        logger.warning(f"No GPU node was examined ({words}); going on without")


def doctors_submission(executor, training, log):
    """A job that waits for its end and ends as the doctor does, where the training would run."""
    gres = training.resources.gres.rpartition(":")[0]
    inside = training.resources.launch.split()[6:]  # after `bash on_slurm.sh` and its four numbers
    doctor = [*inside, "python", "-m", "r3cnn", "doctor", "--gpu"]
    flags = shlex.split(submission(executor, training, "doctor", str(log)))
    return [*flags, *ONE_GPU.split(), f"--gres={gres}:1", "--wait", "--wrap", shlex.join(doctor)]


def words_of(log):
    """What a job wrote; its node's file may be seen here a little later."""
    for _ in range(10):
        if log.is_file() and (said := log.read_text(encoding="utf-8").strip()):
            return said + "\n"
        time.sleep(0.5)
    return ""


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
