"""What a person reads: tables, figures and a page made of result files alone."""

from importlib import resources
from pathlib import Path


def own_file(name: str) -> Path:
    """A file that comes with this package: tables.yaml, a schema, a template, a style."""
    return Path(str(resources.files(__name__).joinpath(name)))
