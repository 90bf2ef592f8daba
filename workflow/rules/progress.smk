# After each job a line with the share of the work that is done, weighted by cost, and the time left.
import contextlib
import logging
import re
from pathlib import Path

from r3cnn.catalogue.costs import job_cost, relative_costs, training_images, validation_images
from r3cnn.core.errors import UserError
from r3cnn.core.work import Work
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


def tells(record):
    """Whether a line of Snakemake's log says something; two for each job that starts do not."""
    return not re.match(r"Select jobs to execute|Execute \d+ jobs", record.getMessage())


logger.addFilter(tells)


class Listener(logging.Handler):
    """Tells `work` what Snakemake logs of its jobs, and speaks where Snakemake counts them.

    checks: the jobs that count the images of a given folder; before them it is taken to be COCO's size.
    """

    def __init__(self, work, checks):
        super().__init__()
        self.work, self.checks, self.last = work, checks, ""

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            self.work.begin(record.jobs)
        elif event == LogEvent.JOB_ERROR:
            self.work.fail(record.jobid)
        elif event == LogEvent.JOB_FINISHED:
            self.work.finish(record.job_id)
            if record.job_id in self.checks:
                with contextlib.suppress(UserError):  # the trainings will say it
                    self.work.weigh(costs_of_jobs())
        elif event == LogEvent.PROGRESS and (line := self.work.line()) != self.last:
            self.last = line
            logger.info(line)


def costs_of_jobs():
    """What each job that is to run costs, by what is known of the images. Raises UserError."""
    each = relative_costs(CATALOGUE.trainings.values())
    images = {"val": validation_images(SCALE, Path(RESULTS))}
    if CATALOGUE.trains:
        images["train"] = training_images(SCALE, Path(RESULTS))
    costs = {}
    for job in workflow.dag.needrun_jobs():
        id = job.wildcards_dict.get("id")
        training = CATALOGUE.trainings.get(id)
        # each rule is named after the command that it runs
        costs[job.jobid] = job_cost(job.rule.name, training, SCALE, images, each.get(id, 0.0))
    return costs


def show_progress():
    """Listen to the jobs that are to run."""
    checks = {job.jobid for job in workflow.dag.needrun_jobs() if job.rule.name == "check"}
    with contextlib.suppress(UserError):  # an estimate stops no run
        logger.addHandler(Listener(Work(costs_of_jobs()), checks))
