"""Stands in for `python -m reports`: takes its options, writes empty files."""

import argparse
import sys
from pathlib import Path

OPTIONS = {
    "tables": ["tables", "only", "results", "out"],
    "figure2": ["results", "out"],
    "html": ["tables", "no-tables", "results", "out"],
}


def main() -> None:
    """Check that there are results, then write what the workflow declares."""
    command = sys.argv[1]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in OPTIONS[command]:
        if option == "no-tables":
            parser.add_argument("--no-tables", action="store_true")
        else:
            parser.add_argument(f"--{option}", required=command != "html" or option != "tables")
    options = parser.parse_args(sys.argv[2:])
    if not Path(options.results, "data.json").is_file():
        sys.exit(f"{options.results}: no results")
    if command == "html" and bool(options.tables) == options.no_tables:
        sys.exit("expected either --tables FILE or --no-tables")
    names = {"figure2": ["figure2.svg", "figure2.pdf", "figure2.png"], "html": ["index.html"]}
    if command == "tables":
        names["tables"] = [f"{options.only}.{suffix}" for suffix in ("csv", "md", "tex")]
    for name in names[command]:
        Path(options.out, name).write_text("")


if __name__ == "__main__":
    main()
