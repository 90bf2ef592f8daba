"""What pyproject.toml cannot say.

Packages whose folder in the checkout has another name than when installed, and a .pth file that supplies mmcv's
operators to programs that import mmdet without r3cnn.
"""

import runpy
from pathlib import Path

from setuptools import Command, Distribution, find_packages, setup

FINDER = runpy.run_path(str(Path(__file__).parent / "r3cnn" / "ops" / "finder.py"))


class WithHeaders(Distribution):
    """Has `install_headers` run, the one step that wheels and editable installs have in common."""

    def has_headers(self) -> bool:
        return True


class InstallPth(Command):
    """Writes the .pth file next to the packages; pip removes it with them."""

    user_options = ()

    def initialize_options(self) -> None:
        self.install_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("install", ("install_lib", "install_lib"))

    def get_outputs(self) -> list[str]:
        return [str(Path(self.install_lib, FINDER["PTH_FILE"]))]

    def run(self) -> None:
        path = Path(self.get_outputs()[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FINDER["PTH"], encoding="utf-8")


def under(folder: str, name: str) -> list[str]:
    """The packages below a folder of the checkout, as they are called when installed."""
    return [
        name + found.removeprefix(folder)
        for found in find_packages(include=[folder, f"{folder}.*"])
    ]


setup(
    distclass=WithHeaders,
    cmdclass={"install_headers": InstallPth},
    packages=[
        *under("r3cnn", "r3cnn"),
        *under("reports", "r3cnn_reports"),
        # data only, so no __init__.py tells setuptools
        *(
            f"r3cnn.experiments{part}"
            for part in ("", ".models", ".models.with", ".scales", ".weights")
        ),
    ],
    package_dir={"r3cnn_reports": "reports", "r3cnn.experiments": "experiments"},
    package_data={
        "r3cnn": ["catalogue/schemas/*.yaml", "py.typed"],
        "r3cnn.experiments": ["*.yaml", "scales/*.yaml", "weights/*.pth", "weights/*.md"],
        "r3cnn_reports": [
            "*.yaml",
            "*.mplstyle",
            "published/*.csv",
            "schemas/*.yaml",
            "page/templates/*",
        ],
    },
)
