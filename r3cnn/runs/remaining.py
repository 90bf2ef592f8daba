"""How much of all trainings is done, and how long the rest takes at the present pace."""

import statistics
from collections.abc import Iterable

from ..catalogue.costs import relative_costs
from ..catalogue.scales import Scale
from ..catalogue.trainings import Catalogue
from ..core.progress import counted, duration
from ..core.work import lanes_end
from .status import DONE, RUNNING, Status


def remaining(found: Iterable[Status], catalogue: Catalogue, scale: Scale) -> str:
    """One line; empty before a training has a step, and where all are done.

    A training that has no step yet is taken to cost what those with steps do, by experiments/costs.yaml.
    """
    found = [one for one in found if catalogue.trainings[one.training].trains]
    each = relative_costs(catalogue.trainings.values())
    paces = [one.seconds / _weight(one, each, catalogue, scale) for one in found if one.seconds]
    if not paces or all(one.state == DONE for one in found):
        return ""
    pace = statistics.median(paces)
    whole, running, waiting = 0.0, [], []
    for one in found:
        seconds = one.seconds or pace * _weight(one, each, catalogue, scale)
        whole += seconds
        if one.state != DONE:
            left = seconds if one.seconds_left is None else one.seconds_left
            (running if one.state == RUNNING else waiting).append(left)
    said = f"{1 - sum(running + waiting) / whole:.0%} of the trainings' work is done"
    if not running:
        return f"{said}; nothing trains now."
    end = duration(lanes_end(running, waiting))
    return f"{said}; about {end} left with {counted(len(running), 'training')} at a time."


def _weight(one: Status, each: dict[str, float], catalogue: Catalogue, scale: Scale) -> float:
    schedule = catalogue.trainings[one.training].schedule
    return float(each[one.training] * scale.schedule(schedule)["epochs"])
