"""YAML 1.1's traps: a value that is read as something else than it looks like is refused with what was read."""

import re

import pytest

from r3cnn.core.errors import UserError
from r3cnn.core.schema import read_yaml


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2024_02", "reads 2024_02 as 202402"),
        ("1_0.5", "reads 1_0.5 as 10.5"),
        ("010", "reads 010 as 8"),
        ("0x1F", "reads 0x1F as 31"),
        ("0b11", "reads 0b11 as 3"),
        ("1:30", "reads 1:30 as 90"),
        ("1:30.5", "reads 1:30.5 as 90.5"),
        ("1e-2", "reads 1e-2 as text; write a number such as 0.01,"),
        ("-1E5", "such as -100000.0,"),
        ("1.5e3_0", None),
        ("3e-05", "such as 3.0e-05,"),
        ("0o17", "such as 15,"),
        ("089", "such as 89,"),
        ("on", "reads on as true; write true or false"),
        ("No", "reads No as false; write true or false"),
        ("2024-02-01", "as a date"),
        ("None", "write null"),
        (".inf", "not a finite number"),
        ("\tx", "indent with spaces"),
    ],
)
def test_a_trap_is_refused_and_text_in_quotes_is_not(tmp_path, written, said):
    file = tmp_path / "file.yaml"
    file.write_text(f"a: 1\nkey: {written}\n", encoding="utf-8")
    if said:
        with pytest.raises(UserError) as caught:
            read_yaml(file)
        assert str(caught.value).startswith(f"{file}: line 2: ")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    file.write_text(f"key: '{written}'\n", encoding="utf-8")
    assert read_yaml(file) == {"key": written}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12), ("-3", -3), ("0", 0), ("0.5", 0.5), (".5", 0.5), ("1.0e-2", 0.01), ("true", True),
        ("False", False), ("null", None), ("~", None), ("3x", "3x"), ("1e3x", "1e3x"), ("y", "y"),
    ],
)  # fmt: skip
def test_plain_values_are_read(tmp_path, written, value):
    file = tmp_path / "file.yaml"
    file.write_text(f"\ufeffkey: {written}\n", encoding="utf-8")  # an editor's byte order mark
    found = read_yaml(file)["key"]
    assert (found, type(found)) == (value, type(value))


def test_an_option_without_a_value_is_no_null(tmp_path):
    file = tmp_path / "file.yaml"
    file.write_text("options:\n  model.neck:\n", encoding="utf-8")
    with pytest.raises(UserError, match=re.escape("line 2: model.neck has no value")):
        read_yaml(file)
