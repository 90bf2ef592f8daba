"""The table of `bench gpu`, next to the paper's Table 1. Imports no torch."""

from tabulate import tabulate

# table 1: images a second, and GB of training memory
PAPER = {
    "mask_1x": {"speed": 11.5, "memory": 4.4},
    "htc": {"speed": 5.4, "memory": 6.8},
    "r3_naive_inc": {"speed": 5.5, "memory": 5.9},
    "r3_advanced": {"speed": 1.0, "memory": 6.8},
}
HEADINGS = ("GiB", "paper", "/HTC", "paper", "s/step", "/HTC", "img/s", "/HTC", "paper")
DIGITS = (2, 1, 2, 2, 3, 2, 2, 2, 2)


def render(content: dict) -> str:
    """One line a model: memory, step time and speed, over HTC of the same command, next to the paper's."""
    lines = [
        f"{content['device']}, {content['size']}, {content['classes']} classes, scale {content['scale']}; "
        f"memory of {content['memory_of']}",
        tabulate(
            [[id_, *map(_cell, _numbers(id_, of), DIGITS)] for id_, of in content["models"].items()],
            ["model", *HEADINGS], tablefmt="plain", disable_numparse=True,
            colalign=("left", *("right" for _ in HEADINGS)),
        ),
    ]  # fmt: skip
    faster = content.get("advanced", {})
    for name, factor in faster.get("over_direct", {}).items():
        lines.append(
            f"r3_advanced, prediction, {name}: {factor:.3f} of the direct form's time, "
            f"outputs differ by {faster['difference'][name]:.1e}"
        )
    return "\n".join(lines)


def _numbers(id_: str, of: dict) -> tuple[float | None, ...]:
    paper, over = PAPER.get(id_, {}), of["over_htc"]
    relative = {key: value / PAPER["htc"][key] for key, value in paper.items()}
    return (
        of["training_gib"], paper.get("memory"), over["memory"], relative.get("memory"),
        of["step_seconds"], over["step"],
        of["images_per_second"], over["speed"], relative.get("speed"),
    )  # fmt: skip


def _cell(value: float | None, digits: int) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.{digits}f}"
