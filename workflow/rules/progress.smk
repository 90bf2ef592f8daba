# After each job a line with the share of the work that is done, weighted by cost, and the time left.
import logging

from r3cnn.catalogue.costs import job_cost, relative_costs, training_images, validation_images
from r3cnn.core.work import Work
from snakemake_interface_logger_plugins.common import LogEvent


class Listener(logging.Handler):
    """Tells `work` what Snakemake logs of its jobs, and speaks where Snakemake counts them."""

    def __init__(self, work):
        super().__init__()
        self.work, self.last = work, ""

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            self.work.begin(record.jobs)
        elif event == LogEvent.JOB_ERROR:
            self.work.fail(record.jobid)
        elif event == LogEvent.JOB_FINISHED:
            self.work.finish(record.job_id)
        elif event == LogEvent.PROGRESS and (line := self.work.line()) != self.last:
            self.last = line
            logger.info(line)


def show_progress():
    """Listen to the jobs that are to run."""
    each = relative_costs(CATALOGUE.trainings.values())
    try:
        images = {"val": validation_images(SCALE, Path(RESULTS))}
        if CATALOGUE.trains:
            images["train"] = training_images(SCALE, Path(RESULTS))
    except UserError as error:
        sys.exit(f"error: {error}")
    costs = {}
    for job in workflow.dag.needrun_jobs():
        id = job.wildcards_dict.get("id")
        training = CATALOGUE.trainings.get(id)
        # each rule is named after the command that it runs
        costs[job.jobid] = job_cost(job.rule.name, training, SCALE, images, each.get(id, 0.0))
    logger.addHandler(Listener(Work(costs)))
