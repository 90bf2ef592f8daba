# The file of tables that the catalogue names, with its tables and charts.

import os
from pathlib import Path

from r3cnn.core.errors import UserError
from r3cnn.core.layout import REPORT_CHARTS
from r3cnn.core.schema import choice, read_checked, shown

TABLES_SCHEMA = ROOT / "reports" / "schemas" / "tables.schema.yaml"

# Names of rules, and of files of the report that are no table of a user's own.
RESERVED = {
    *("all", "resolve", "train", "weights", "reuse", "trainings", "predict", "score", "measure"),
    *("shapes", "check", "tables", "figure2", "claims", "report", "other", "results", "index"),
    *REPORT_CHARTS,
}


def chain_of_tables(file):
    """The catalogue's file of tables, and before it those that it extends."""
    chain = []
    while file is not None:
        if file in chain:
            raise UserError(f"{shown(file)}: extends: leads back to this file; remove it from one")
        chain.insert(0, file)
        base = read_checked(file, TABLES_SCHEMA).get("extends")
        file = base and Path(os.path.normpath(file.parent / base))
    return chain


def read_charts():
    """What the report draws of the rows, {name: chart}; every cell must be an evaluation that is made."""
    charts = {}
    for file in TABLE_FILES:
        for name, chart in read_checked(file, TABLES_SCHEMA).get("charts", {}).items():
            require_free(file, f"charts.{name}", name)
            charts[name] = chart
            for id in chart.get("trainings", ()):
                for loops in chart["loops"]:
                    require_evaluation(f"{shown(file)}: charts.{name}", id, loops)
    return charts


def read_tables():
    """The tables of the catalogue, {name: table}; every row must show an evaluation that is made."""
    tables = {}
    for file in TABLE_FILES:
        for name, table in read_checked(file, TABLES_SCHEMA)["tables"].items():
            require_free(file, f"tables.{name}", name)
            for number, row in enumerate(table["rows"], start=1):
                where = f"{shown(file)}: {name}, row {number}"
                require_evaluation(where, row["training"], row["loops"])
            published = (
                {"published": file.parent / table["published"]} if "published" in table else {}
            )
            tables[name] = table | published
    return tables


def require_free(file, key, name):
    """Raise UserError for a name that a rule has, or another file of the report."""
    if name in RESERVED:
        raise UserError(
            f"{shown(file)}: {key}: a rule or another file of the report has this name; choose another one"
        )


def require_own_names(tables, charts):
    """Raise UserError where a table and a chart have one name: both would write one CSV."""
    for name in tables.keys() & charts.keys():
        raise UserError(
            f"{shown(CATALOGUE.tables)}: charts.{name}: a table has this name; choose another one"
        )


def require_evaluation(where, id, loops):
    """Raise UserError where the catalogue does not evaluate a training with these loops."""
    made = CATALOGUE.evaluations.get(id, ())
    if loops not in made:
        known = f"expected loops of {made}" if made else choice(id, CATALOGUE.evaluations)
        if id in CATALOGUE.stated_in:
            known += f", as {shown(CATALOGUE.stated_in[id])} says, or more loops there"
        raise UserError(
            f"{where}: training {id} with loops {loops} is no evaluation of the catalogue; {known}"
        )


def table_files(*names):
    """The file of tables, and the published numbers beside it that some tables show."""
    published = [TABLES[name]["published"] for name in names if "published" in TABLES[name]]
    return [shown(file) for file in (*reversed(TABLE_FILES), *published)]
