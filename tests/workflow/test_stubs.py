"""The stubs take what the real command lines take; so the rules call those as they are."""

import click
import pytest

import reports.__main__
from r3cnn.cli.main import main
from tests.workflow import stub_r3cnn, stub_reports


def options_of(group: click.Group, words: list[str]) -> tuple[set[str], set[str]]:
    """All options of a command, and those that it requires, without their dashes."""
    command = group
    for word in words:
        command = command.commands[word]
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = {name.lstrip("-") for option in options for name in option.opts}
    return names, {o.opts[-1].lstrip("-") for o in options if o.required}


@pytest.mark.parametrize("command", stub_r3cnn.OPTIONS)
def test_r3cnn_takes_what_the_rules_give(command):
    known, required = options_of(main, command.split())
    given = set(stub_r3cnn.OPTIONS[command])
    assert given <= known
    assert required <= given


@pytest.mark.parametrize("command", stub_reports.OPTIONS)
def test_reports_takes_what_the_rules_give(command):
    known, required = options_of(reports.__main__.cli, [command])
    given = set(stub_reports.OPTIONS[command])
    assert given <= known
    assert required <= given
