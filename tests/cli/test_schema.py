from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from shopbot.cli import build
from shopbot.config.document import parse
from shopbot.rules.steps import STEP_NAMES
from shopbot.trials.reading import trial_file_of

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "config" / "shopbot.schema.json"
COMMITTED_FOR_TESTS = ROOT / "config" / "shopbot.test.schema.json"
EXAMPLES = [
    ROOT / "shopbot.yaml",
    *sorted(path for path in (ROOT / "config").glob("*.yaml") if ".test" not in path.suffixes),
]


def the_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return schema


def mistakes(text: str) -> list[str]:
    """Check a configuration as an editor would, without its environment."""
    found = Draft7Validator(the_schema()).iter_errors(parse(text, "shopbot.yaml").data)
    return ["/".join(str(part) for part in error.absolute_path) + ": " + error.message for error in found]


def test_the_committed_schema_is_fresh(tmp_path: Path) -> None:
    printed = CliRunner().invoke(build(), ["schema", "--plugins-dir", str(tmp_path)]).stdout

    assert COMMITTED.read_text(encoding="utf-8") == printed, (
        "config/shopbot.schema.json is out of date; run: shopbot schema --output config/shopbot.schema.json"
    )


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(the_schema())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_fit(example: Path) -> None:
    assert mistakes(example.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("financial_status:", "finacial_status:", "rules/0/when"),
        ("    key: psid\n    trust:", "    kee: psid\n    trust:", "resolvers/0"),
        ("trust: known_shopper", "trust: everybody", "resolvers/0/trust"),
        ("journal: 30d", "journal: 30", "ttl/journal"),
        ("reject_status: 403", "reject_status: 404", "verify/0/reject_status"),
        ("once_per: order", "once_per: oder", "rules/0/once_per"),
    ],
)
def test_a_mistake_is_marked_at_its_place(before: str, after: str, place: str) -> None:
    text = (ROOT / "shopbot.yaml").read_text(encoding="utf-8")
    assert before in text

    assert [mistake.partition(":")[0] for mistake in mistakes(text.replace(before, after, 1))] == [place]


def test_a_plugin_that_is_not_installed_here_may_have_any_settings() -> None:
    text = (ROOT / "shopbot.yaml").read_text(encoding="utf-8")

    assert mistakes(text.replace("use: redis_cart", "use: my_own\n    shelf: 5", 1)) == []


def undescribed(part: object, path: str = "") -> list[str]:
    """Name the keys without a description."""
    if isinstance(part, list):
        return [name for index, item in enumerate(part) for name in undescribed(item, f"{path}/{index}")]
    if not isinstance(part, dict):
        return []
    missing = [
        f"{path}/{name}"
        for name, field in part.get("properties", {}).items()
        if isinstance(field, dict) and not field.keys() & {"description", "const", "$ref"}
    ]
    return missing + [name for key, item in part.items() for name in undescribed(item, f"{path}/{key}")]


def test_what_editors_propose_is_allowed() -> None:
    """An example, or a default, fits the place that it is proposed for."""
    schema = the_schema()

    def misfits(part: object, path: str = "") -> list[str]:
        if isinstance(part, list):
            return [name for index, item in enumerate(part) for name in misfits(item, f"{path}/{index}")]
        if not isinstance(part, dict):
            return []
        place = Draft7Validator({**part, "$defs": schema["$defs"]})
        proposed = part.get("examples", []) if isinstance(part.get("examples", []), list) else []
        proposed = [*proposed, part["default"]] if "default" in part and "type" in part else proposed
        wrong = [f"{path}: {value!r}" for value in proposed if not place.is_valid(value)]
        return wrong + [name for key, item in part.items() for name in misfits(item, f"{path}/{key}")]

    assert misfits(schema) == []


def test_nothing_is_proposed_that_means_nothing() -> None:
    """Editors would type it for people: `null`, an empty list, the name of a class of Python's."""

    def empty(part: object, path: str = "") -> list[str]:
        if isinstance(part, list):
            return [name for index, item in enumerate(part) for name in empty(item, f"{path}/{index}")]
        if not isinstance(part, dict):
            return []
        found = [path] if part.get("type") == "null" or part.get("default", 0) in ([], {}) else []
        found += [f"{path}/{key}" for key, value in part.items() if value is None]
        titled = [path] if isinstance(part.get("title"), str) and part["title"] != part["title"].lower() else []
        return [*found, *titled, *(name for key, item in part.items() for name in empty(item, f"{path}/{key}"))]

    assert empty(the_schema()) == []


def test_steps_topics_and_states_are_proposed() -> None:
    rule = the_schema()["$defs"]["RuleSettings"]["properties"]

    assert {*STEP_NAMES, "http_forward"} - {"send_message"} == set(rule["steps"]["items"]["anyOf"][0]["examples"])
    assert {"orders/paid", "messenger/message"} <= set(rule["on"]["anyOf"][0]["examples"])
    # Editors take one of these for each value of a list, too.
    assert rule["on"]["anyOf"][0]["examples"] == rule["on"]["anyOf"][1]["items"]["examples"]


def test_every_key_has_a_description() -> None:
    assert undescribed(the_schema()) == []


class TestTheSchemaOfTestFiles:
    def test_the_committed_one_is_fresh_and_describes_every_key(self) -> None:
        printed = CliRunner().invoke(build(), ["schema", "--tests"]).stdout

        assert COMMITTED_FOR_TESTS.read_text(encoding="utf-8") == printed, (
            "config/shopbot.test.schema.json is out of date; run:"
            " shopbot schema --tests --output config/shopbot.test.schema.json"
        )
        Draft7Validator.check_schema(json.loads(printed))
        assert undescribed(json.loads(printed)) == []

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
    def test_the_tests_of_the_examples_fit(self, example: Path) -> None:
        path = trial_file_of(example)

        assert self.mistakes(path.read_text(encoding="utf-8")) == []
        assert "# yaml-language-server: $schema=" in path.read_text(encoding="utf-8").partition("\n")[0]

    @pytest.mark.parametrize(
        ("before", "after", "place"),
        [
            ("sample: paid_order", "sample: payd_order", "tests/0/event/sample"),
            ("silence: NOT_PAID", "silence: NOT_PAYD", "tests/1/expect/silence"),
            ("cart: cleared", "cart: clear", "tests/0/expect/cart"),
            ("expect: {silence", "expct: {silence", "tests/1"),
        ],
    )
    def test_a_mistake_is_marked_at_its_place(self, before: str, after: str, place: str) -> None:
        text = (ROOT / "shopbot.test.yaml").read_text(encoding="utf-8")
        assert before in text

        assert {mistake.partition(":")[0] for mistake in self.mistakes(text.replace(before, after, 1))} == {place}

    def mistakes(self, text: str) -> list[str]:
        """Check a test file as an editor would."""
        schema = json.loads(COMMITTED_FOR_TESTS.read_text(encoding="utf-8"))
        found = Draft7Validator(schema).iter_errors(parse(text, "shopbot.test.yaml").data)
        return ["/".join(str(part) for part in error.absolute_path) + ": " + error.message for error in found]
