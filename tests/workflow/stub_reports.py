"""Stands in for `python -m reports`: takes its options, writes empty files."""

import argparse
import sys
from pathlib import Path

from r3cnn.core.layout import REPORT_CHARTS

OPTIONS = {
    "tables": ["tables", "only", "results", "out"],
    "figure2": ["results", "out"],
    "claims": ["tables", "no-tables", "claims", "results", "out"],
    "register": ["claims", "results"],
    "html": ["tables", "no-tables", "claims", "catalogue", "results", "out"],
}


def main() -> None:
    """Check that there are results, then write what the workflow declares."""
    command = sys.argv[1]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in OPTIONS[command]:
        if option == "no-tables":
            parser.add_argument("--no-tables", action="store_true")
        else:
            optional = option == "catalogue" or (
                option == "tables" and "no-tables" in OPTIONS[command]
            )
            parser.add_argument(f"--{option}", required=not optional)
    options = parser.parse_args(sys.argv[2:])
    if command == "register":
        Path(options.results).mkdir(parents=True, exist_ok=True)
        Path(options.results, "claims.json").write_text("{}")
        return
    if not Path(options.results, "data.json").is_file():
        sys.exit(f"{options.results}: no results")
    if "no_tables" in options and bool(options.tables) == options.no_tables:
        sys.exit("expected either --tables FILE or --no-tables")
    names = {
        "figure2": ["figure2.svg", "figure2.pdf", "figure2.png"],
        "claims": ["claims.csv"],
        "html": ["index.html", "plotly.min.js", "results.parquet"],
    }
    names["html"] += [f"other.{suffix}" for suffix in ("csv", "md", "tex")]
    names["html"] += [f"{chart}.{suffix}" for chart in REPORT_CHARTS for suffix in ("svg", "csv")]
    if command == "tables":
        names["tables"] = [f"{options.only}.{suffix}" for suffix in ("csv", "md", "tex")]
    content = {".csv": "row\n1\n", ".svg": "<svg xmlns='http://www.w3.org/2000/svg'/>"}
    for name in names[command]:
        Path(options.out, name).write_text(content.get(Path(name).suffix, ""))


if __name__ == "__main__":
    main()
