"""Settings of --config come as they were typed, whatever Snakemake made of them."""

import pytest
from snakemake.cli import parse_config

from r3cnn.core.errors import UserError
from r3cnn.core.settings import require_known_targets, require_one, require_own_targets, texts


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("results=2024_02", "2024_02"),
        ("data='2024_01'", "2024_01"),
        ("results=007", "007"),
        ("results=1e3", "1e3"),
        ("data=true", "true"),
        ("results=null", "null"),
        ("results=a=b", "a=b"),
        ("data=[x]", "[x]"),
        ("data=a: b", "a: b"),
        ("seeds=0,1,2", "0,1,2"),
        ("seeds=[0,1]", "[0,1]"),
        ("results=nan", "nan"),
    ],
)
def test_a_setting_is_what_was_typed(typed, meant):
    config = parse_config([typed])
    assert texts(config, [typed]) == {typed.partition("=")[0]: meant}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["results="], "--config results: found nothing"),
        (["results=''"], "--config results: found nothing"),
        (["results=a", "results=b"], "--config results: given twice, a and b"),
    ],
)
def test_an_empty_setting_or_two_of_a_name_are_refused(typed, said):
    with pytest.raises(UserError, match=said):
        texts(parse_config(typed), typed)


@pytest.mark.parametrize("value", [202402, 1.5, True, ["a"], {"a": 1}])
def test_a_file_of_settings_must_say_text(value):
    with pytest.raises(UserError, match=r"config: results: found .*quotes"):
        texts({"results": value}, None)


def test_a_file_of_settings_may_say_seeds_as_numbers_and_null():
    config = {"seeds": [0, 1], "results": "2024_02", "data": None}
    assert texts(config, None) == {"seeds": "0,1", "results": "2024_02", "data": None}
    assert texts({"seeds": 3}, None) == {"seeds": "3"}


@pytest.mark.parametrize("again", [["--config", "b=2"], ["-C", "b=2"], ["--config=b=2"]])
def test_two_config_arguments_are_refused(again):
    with pytest.raises(UserError, match=r"--config: .*more than once"):
        require_one(["snakemake", "--config", "a=1", *again])
    require_one(["snakemake", "--configfile", "x", "--config", "a=1", "--", "--config"])


def test_a_target_in_the_results_of_other_settings_is_refused():
    own = ("results", "results/quick")
    with pytest.raises(UserError, match=r"results/smoke-2024_01/data.json: .* in results/quick"):
        require_own_targets(["report", "results/smoke-2024_01/data.json"], *own)
    with pytest.raises(UserError, match=r"results/smoke/data.json: .* in results/quick"):
        require_own_targets(["./results//smoke/data.json"], *own)
    require_own_targets(["results/quick/data.json", "results/x", "report", "data/y/z"], *own)


def test_targets_are_rules_or_files():
    rules = ["all", "table2", "report"]
    require_known_targets(["table2", "results/smoke/data.json", "data.json"], rules)
    with pytest.raises(UserError, match=r"tabel2: .*did you mean table2\?"):
        require_known_targets(["report", "tabel2"], rules)
