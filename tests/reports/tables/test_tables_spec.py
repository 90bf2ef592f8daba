"""reports/tables.yaml and the paper's numbers; mistakes in a user's tables file."""

import csv
from pathlib import Path

import pytest

from r3cnn.core.errors import UserError
from reports.tables.spec import DEFAULT_TABLES, load_spec

TABLE = """
notes: {a_note: Text.}
tables:
  mine:
    title: Mine
    caption: My rows.
    published: mine.csv
    columns:
      - {name: AP, heading: AP, source: {score: bbox.AP}, format: percent, published: AP}
      - {name: L_t, heading: L_t, source: {constant: L_t}, format: text}
    rows:
      - {label: One, training: one, loops: 3, published: 1, constants: {L_t: 3}, notes: [a_note]}
"""


def write(folder: Path, text: str = TABLE, published: str = "row,AP\n1,38.2\n") -> Path:
    (folder / "mine.csv").write_text(published)
    (folder / "words.csv").write_text("row,AP\n1,high\n")
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_paper_has_28_rows_and_21_evaluations_of_17_trainings() -> None:
    spec = load_spec()
    assert [len(table.rows) for table in spec.tables.values()] == [6, 6, 5, 11]
    assert len(spec.evaluations()) == 21
    assert len({training for training, _ in spec.evaluations()}) == 17


def test_every_published_row_is_shown_once_and_its_constants_agree() -> None:
    strategies = {"params_k", "training_strategy"}
    for name, table in load_spec().tables.items():
        path = DEFAULT_TABLES.parent / "published" / f"{name}.csv"
        lines = list(csv.DictReader(path.open()))
        assert [row.published for row in table.rows] == lines
        for row, line in zip(table.rows, lines, strict=True):
            shown = {key: str(value) for key, value in row.constants.items()}
            shown["training_strategy"] = shown.pop("strategy", "")
            for key in {"L_t", "H", *strategies} & shown.keys() & line.keys():
                assert shown[key] == line[key], (name, row.label, key)
            assert str(row.loops) == line.get("L_e", str(row.loops))
            assert row.label == line.get("model", line.get("method"))


def test_every_published_number_is_shown_or_a_constant() -> None:
    names = {"row", "model", "method", "training_strategy", "L_t", "L_e", "H"}
    for table in load_spec().tables.values():
        shown = {column.published for column in table.columns if column.published}
        assert set(table.rows[0].published) - names == shown


def test_every_note_is_named_by_a_table_or_a_row() -> None:
    spec = load_spec()
    named = {note for table in spec.tables.values() for note in table.notes}
    named |= {note for table in spec.tables.values() for row in table.rows for note in row.notes}
    assert named == set(spec.notes)


def test_a_users_file_is_read(tmp_path: Path) -> None:
    [table] = load_spec(write(tmp_path)).tables.values()
    assert table.rows[0].published["AP"] == "38.2"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("loops: 3", "loops: 0", r"tables.mine.rows.0.loops: 0 is less than"),
        ("title: Mine", "titel: Mine", r"tables.mine: .*'titel' was unexpected"),
        ("notes: [a_note]", "notes: [other]", r"rows.0.notes: no note 'other'"),
        ("constants: {L_t: 3}", "constants: {}", r"rows.0.constants: no 'L_t'"),
        ("published: 1", "published: 7", r"rows.0.published: no row 7"),
        ("published: AP", "published: BP", r"no column 'BP'"),
        (
            "published: mine.csv",
            "published: words.csv",
            r"rows.0: published number AP: found 'high'",
        ),
        ("  mine:", "  other:", r"tables.other: this name is taken"),
        ("name: L_t", "name: AP", r"two columns are named 'AP'"),
        ("title: Mine", "title: Mine\n    title: Twice", r"line 6: 'title' is here twice"),
        ("title: Mine", "title: [", r"mine.yaml: line 7: expected ',' or ']'"),
        ("published: mine.csv", "published: no.csv", r"no.csv: no such file"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path, TABLE.replace(old, new, 1))
    with pytest.raises(UserError, match=message) as caught:
        load_spec(path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_published_rows_are_numbered_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row: found '1'"):
        load_spec(write(tmp_path, published="row,AP\n1,38.2\n1,38.3\n"))
