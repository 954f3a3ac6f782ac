from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from typer.main import get_command

from shopbot import __version__
from shopbot.cli import build
from support.command_line import shopbot

HERE = Path(__file__).parent


def verbs(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - click's
    """Give every verb of the command line with its names: ("dead", "replay")."""
    below = cast("Mapping[str, Any]", getattr(command, "commands", {}))
    if not below:
        yield name, command
    for word, child in below.items():
        yield from verbs(child, (*name, word))


VERBS = dict(verbs(get_command(build())))
every_verb = pytest.mark.parametrize("verb", VERBS, ids=" ".join)


def test_the_version_is_shown() -> None:
    ended = shopbot("--version", directory=HERE)

    assert (ended.exit_code, ended.output) == (0, f"shopbot {__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_says_what_shopbot_is_for_and_lists_the_verbs(arguments: list[str]) -> None:
    ended = shopbot(*arguments, directory=HERE)

    text = ended.output + ended.errors
    assert "Confirms paid Shopify orders in Facebook Messenger, exactly once." in text
    for verb in VERBS:
        assert re.search(rf"^  {verb[0]}  ", text, re.MULTILINE), verb


@every_verb
def test_each_verb_says_what_it_does_and_gives_an_example(verb: tuple[str, ...]) -> None:
    ended = shopbot(*verb, "--help", directory=HERE)

    assert (ended.exit_code, ended.errors) == (0, "")
    assert ended.output.startswith(f"Usage: shopbot {' '.join(verb)} ")
    assert re.search(rf"^  Example: shopbot {' '.join(verb)}\b", ended.output, re.MULTILINE)


@every_verb
def test_each_option_and_argument_is_explained(verb: tuple[str, ...]) -> None:
    for parameter in VERBS[verb].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"shopbot {' '.join(verb)}: {parameter.name}"


@every_verb
def test_the_example_of_each_verb_can_be_typed_as_it_stands(verb: tuple[str, ...]) -> None:
    command = VERBS[verb]
    (example,) = re.findall(r"Example: (.+)", command.help)

    words = shlex.split(example)
    assert tuple(words[: len(verb) + 1]) == ("shopbot", *verb)

    command.make_context(words[-1], words[len(verb) + 1 :])  # raises what the shell would show


def test_a_slip_in_a_verb_is_wrong_usage() -> None:
    ended = shopbot("chekc", directory=HERE)

    assert (ended.exit_code, ended.output) == (2, "")
    assert "No such command 'chekc'" in ended.errors


def test_nothing_of_a_failure_shows_the_values_of_variables() -> None:
    """Locals may hold secrets."""
    assert build().pretty_exceptions_show_locals is False
