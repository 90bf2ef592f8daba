"""What pyproject.toml cannot say: packages whose folder in the checkout has another name than when installed."""

from setuptools import find_packages, setup


def under(folder: str, name: str) -> list[str]:
    """The packages below a folder of the checkout, as they are called when installed."""
    return [
        name + found.removeprefix(folder)
        for found in find_packages(include=[folder, f"{folder}.*"])
    ]


setup(
    packages=[
        *under("r3cnn", "r3cnn"),
        *under("reports", "r3cnn_reports"),
        # data only, so no __init__.py tells setuptools
        *(f"r3cnn.experiments{part}" for part in ("", ".models", ".models.with", ".scales")),
    ],
    package_dir={"r3cnn_reports": "reports", "r3cnn.experiments": "experiments"},
    package_data={
        "r3cnn": ["catalogue/schemas/*.yaml", "py.typed"],
        "r3cnn.experiments": ["*.yaml", "scales/*.yaml"],
        "r3cnn_reports": [
            "*.yaml",
            "*.mplstyle",
            "published/*.csv",
            "schemas/*.yaml",
            "page/templates/*",
        ],
    },
)
