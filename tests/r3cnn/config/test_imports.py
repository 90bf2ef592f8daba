"""`custom_imports` of a user's model file: in each form that mmengine takes, and what is refused."""

import pytest
from mmengine.config import Config

from r3cnn.config.imports import require_form, require_imports
from r3cnn.core.errors import UserError


@pytest.mark.parametrize("names", ["json", ["json", "csv"]])
def test_a_name_or_a_list_becomes_a_list(names):
    cfg = Config({"custom_imports": {"imports": names}})
    require_form(cfg, "mine.py")
    require_imports(cfg, "mine.py")
    assert cfg.custom_imports.imports == ([names] if isinstance(names, str) else names)


def test_nothing_asked_for_is_left_alone():
    cfg = Config({"model": 1})
    require_form(cfg, "mine.py")
    require_imports(cfg, "mine.py")
    assert "custom_imports" not in cfg


@pytest.mark.parametrize("found", [["json"], {"imports": 3}, {"imports": [3]}, {"import": "json"}])
def test_another_form_is_refused(found):
    with pytest.raises(UserError, match=r"mine.py: custom_imports: found .*expected dict"):
        require_form(Config({"custom_imports": found}), "mine.py")


def test_a_module_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_heads.py").write_text("nonsense\n")
    cfg = Config({"custom_imports": {"imports": ["broken_heads"]}})
    with pytest.raises(
        UserError, match=r"custom_imports: broken_heads: NameError: name 'nonsense'"
    ):
        require_imports(cfg, "mine.py")


def test_a_missing_module_is_named_unless_it_may_be_missing():
    wanted = {"imports": ["no_such_heads"]}
    with pytest.raises(UserError, match=r"No module named 'no_such_heads'; install it"):
        require_imports(Config({"custom_imports": wanted}), "mine.py")
    require_imports(Config({"custom_imports": {**wanted, "allow_failed_imports": True}}), "mine.py")
