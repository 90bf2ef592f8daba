"""Tables, figures and the report page, made only from result files."""

from importlib import resources
from pathlib import Path


def own_file(name: str) -> Path:
    """A file that comes with this package: tables.yaml, a schema, a template, a style."""
    return Path(str(resources.files(__name__).joinpath(name)))
