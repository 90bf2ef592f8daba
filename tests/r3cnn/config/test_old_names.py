"""Names of version 0.1 that scripts of others import."""

import importlib
import subprocess
import sys

import pytest

import r3cnn.config
from r3cnn.config.load import load_config
from r3cnn.weights.building import build_detector


def test_load_config_is_still_found_in_config():
    assert r3cnn.config.load_config is load_config


def test_building_is_still_found_with_a_warning():
    sys.modules.pop("r3cnn.building", None)
    with pytest.warns(DeprecationWarning, match=r"r3cnn\.weights\.building"):
        module = importlib.import_module("r3cnn.building")
    assert module.build_detector is build_detector


def test_config_has_no_other_names_and_loads_nothing_heavy():
    code = "import sys, r3cnn.config as c; assert not hasattr(c, 'nothing'); print('mmengine' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
