"""The committed schema in yaml-language-server, which VS Code, neovim and other editors ask: what people see there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopbot.config.settings import Settings
from shopbot.rules.steps import STEP_NAMES
from support.documents import ROOT, blocks
from support.language_server import CURSOR, Completion, Diagnostic, LanguageServer, language_server
from support.node_package import node_package

VERSION = "1.25.0"
"""The newest that runs on node 20."""
MODELINE = "# yaml-language-server: $schema=config/shopbot.schema.json\n"
OFFLINE: dict[str, object] = {"schemaStore": {"enable": False}}
SHOP = "shop: {domain: acme.myshopify.com, name: Acme}\n"


@pytest.fixture(scope="module")
def command() -> list[str]:
    """The command line of the server; skips what needs it where it cannot be had."""
    package = node_package("yaml-language-server", VERSION)
    return [shutil.which("node") or "node", str(package / "bin" / "yaml-language-server"), "--stdio"]


@pytest.fixture(scope="module")
def editor(command: list[str]) -> Iterator[LanguageServer]:
    """An editor with files in the root directory."""
    with language_server(command, ROOT, OFFLINE) as server:
        yield server


def proposed(editor: LanguageServer, text: str) -> dict[str, Completion]:
    return {completion.label: completion for completion in editor.complete(MODELINE + text)}


def underlined(editor: LanguageServer, text: str) -> list[Diagnostic]:
    return editor.diagnose(MODELINE + text)


class TestCompletion:
    def test_every_key_of_the_file_is_proposed_with_what_it_means(self, editor: LanguageServer) -> None:
        found = proposed(editor, f"{CURSOR}\n")

        for name, field in Settings.model_fields.items():
            assert found[name].manual.startswith(str(field.description)), name

    def test_nothing_is_typed_that_has_to_be_taken_away_again(self, editor: LanguageServer) -> None:
        """`null` and `[]` mean nothing in shopbot.yaml."""
        for text in (f"{CURSOR}\n", f"shop:\n  {CURSOR}\n", f"messages:\n  hello:\n    {CURSOR}\n"):
            for completion in proposed(editor, text).values():
                assert "null" not in completion.inserted, completion
                assert "[]" not in completion.inserted, completion

    @pytest.mark.parametrize(
        ("section", "plugins"),
        [
            ("verify", {"messenger_hmac", "shopify_hmac"}),
            ("resolvers", {"attributes", "note_attributes", "token_lookup"}),
            ("senders", {"console", "messenger"}),
            ("pollers", {"shopify_orders"}),
        ],
    )
    def test_behind_use_the_plugins_of_the_list_are_proposed(
        self, editor: LanguageServer, section: str, plugins: set[str]
    ) -> None:
        found = proposed(editor, f"{section}:\n  - use: {CURSOR}\n")

        assert found.keys() == plugins
        assert all(found[name].manual for name in plugins)

    def test_a_plugin_brings_its_own_settings_and_those_of_its_place(self, editor: LanguageServer) -> None:
        found = proposed(editor, f"resolvers:\n  - use: note_attributes\n    {CURSOR}\n")

        assert found.keys() == {"key", "trust", "time_limit"}

    def test_settings_are_filled_in_as_the_plugins_manual_shows_them(self, editor: LanguageServer) -> None:
        found = proposed(editor, f"senders:\n  - use: messenger\n    {CURSOR}\n")

        assert found["page_id"].inserted == 'page_id: ${1:"102290129340398"}'
        assert found["access_token"].inserted == r"access_token: ${1:\${MESSENGER_PAGE_TOKEN\}}"

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("rules:\n  - once_per: |\n", {"order", "fulfillment", "refund", "event"}),
            ("resolvers:\n  - use: note_attributes\n    trust: |\n", {"signed", "known_shopper", "any"}),
            (
                "messages:\n  hello:\n    tag: |\n",
                {"order_update", "shipping_update", "payment_update", "order_answer"},
            ),
            ("log:\n  level: |\n", {"debug", "info", "warning", "error"}),
            ("durability: |\n", {"strict", "relaxed"}),
        ],
    )
    def test_where_one_of_a_few_values_is_wanted_these_are_proposed(
        self, editor: LanguageServer, text: str, values: set[str]
    ) -> None:
        assert proposed(editor, text.replace("|", CURSOR)).keys() == values

    @pytest.mark.parametrize(
        ("text", "some"),
        [
            ("rules:\n  - on: |\n", {"orders/paid", "messenger/message"}),
            ("rules:\n  - on: [orders/paid, |]\n", {"orders/updated"}),
            ("rules:\n  - on:\n      - |\n", {"fulfillments/create"}),
            ("rules:\n  - when:\n      financial_status: |\n", {"paid", "partially_refunded"}),
            ("rules:\n  - steps:\n      - |\n", {*STEP_NAMES, "http_forward"}),
            ("rules:\n  - steps:\n      - send_message:\n          |\n", {"one", "several", "none"}),
            ("shop:\n  locale: |\n", {"de", "pt_BR"}),
            ("shop:\n  timezone: |\n", {"Europe/Berlin"}),
            ("store: |\n", {"embedded", "redis://localhost:6379/0"}),
            ("ttl:\n  journal: |\n", {"30s", "24h"}),
            ("messages:\n  hello:\n    limit: |\n", {"1/day"}),
        ],
    )
    def test_where_many_values_are_possible_the_usual_ones_are_proposed(
        self, editor: LanguageServer, text: str, some: set[str]
    ) -> None:
        assert some <= proposed(editor, text.replace("|", CURSOR)).keys()


class TestWhatIsUnderlined:
    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("finacial: 1\n", (3, 1, "finacial"), "Property finacial is not allowed."),
            ("retry: {attempts: many}\n", (3, 19, "many"), 'Incorrect type. Expected "integer".'),
            (
                "log: {level: loud}\n",
                (3, 14, "loud"),
                'Value is not accepted. Valid values: "debug", "info", "warning", "error".',
            ),
            (
                "ttl: {journal: 30 days}\n",
                (3, 16, "30 days"),
                "expected a duration such as 30s, 10m, 24h or 365d",
            ),
            (
                "resolvers:\n  - use: note_attributes\n    kye: psid\n",
                (5, 5, "kye"),
                "Property kye is not allowed.",
            ),
            (
                "resolvers:\n  - use: note_attributes\n    trust: nobody\n",
                (5, 12, "nobody"),
                'Value is not accepted. Valid values: "signed", "known_shopper", "any".',
            ),
            (
                "senders:\n  - use: messenger\n    page_id: 1022\n    access_token: x\n",
                (5, 14, "1022"),
                'Incorrect type. Expected "string".',
            ),
            (
                "rules:\n  - {name: r, on: paid, steps: [clear_cart]}\n",
                (4, 19, "paid"),
                "expected a topic such as orders/paid or messenger/message",
            ),
            (
                "rules:\n  - {name: A rule, on: orders/paid, steps: [clear_cart]}\n",
                (4, 12, "A rule"),
                "expected a name of lower-case letters, digits and '_' that starts with a letter",
            ),
            (
                "rules:\n  - {name: r, on: orders/paid, when: {finacial_status: paid}, steps: [clear_cart]}\n",
                (4, 39, "finacial_status"),
                "Property finacial_status is not allowed.",
            ),
            (
                "messages:\n  hello:\n    text: Hello\n    utility_template:\n      name: hello\n      nmae: x\n",
                (8, 7, "nmae"),
                "Property nmae is not allowed.",
            ),
        ],
    )
    def test_a_mistake_is_underlined_at_its_place(
        self, editor: LanguageServer, text: str, place: tuple[int, int, str], message: str
    ) -> None:
        found = underlined(editor, SHOP + text)

        assert [((one.line, one.column, one.text), one.message) for one in found] == [(place, message)]

    def test_what_is_missing_is_said_at_the_part_that_lacks_it(self, editor: LanguageServer) -> None:
        found = underlined(editor, SHOP + "senders:\n  - use: messenger\n")

        assert {one.message for one in found} == {'Missing property "page_id".', 'Missing property "access_token".'}
        assert {one.line for one in found} == {4}

    def test_a_plugin_that_is_not_installed_here_may_have_any_settings(self, editor: LanguageServer) -> None:
        assert underlined(editor, SHOP + "carts:\n  - use: my_own\n    shelf: 5\n") == []

    def test_variables_may_stand_where_a_form_is_asked_for(self, editor: LanguageServer) -> None:
        assert underlined(editor, SHOP + "store: ${REDIS_URL}\nttl: {journal: '${JOURNAL:-30d}'}\n") == []

    @pytest.mark.parametrize(
        "path", [ROOT / "shopbot.yaml", *sorted((ROOT / "config").glob("*.yaml"))], ids=lambda path: path.name
    )
    def test_nothing_in_the_examples_is_underlined(self, editor: LanguageServer, path: Path) -> None:
        assert editor.diagnose(path.read_text(encoding="utf-8"), path.parent) == []


class TestWhatTheManualShows:
    def test_the_mouse_shows_what_a_key_means(self, editor: LanguageServer) -> None:
        shown = editor.hover(MODELINE + f"retry:\n  att{CURSOR}empts: 8\n")

        assert "Attempts in all, the first included; then the event becomes a dead letter." in shown

    @pytest.mark.parametrize(
        "line", ["# yaml-language-server: $schema=config/shopbot.schema.json", "# $schema: config/shopbot.schema.json"]
    )
    def test_the_first_line_names_the_schema(self, editor: LanguageServer, line: str) -> None:
        assert f"`{line}`" in (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
        assert [one.text for one in editor.diagnose(f"{line}\n{SHOP}foo: 1\n")] == ["foo"]

    def test_the_settings_of_vs_code_name_it_for_files_without_that_line(self, command: list[str]) -> None:
        [block] = [block for block in blocks("json") if block.page.name == "editors.md"]
        schemas = json.loads(block.text)["yaml.schemas"]
        # The tests' files have numbers in their names.
        settings = {
            **OFFLINE,
            "schemas": {schema: files.replace(".yaml", "*.yaml") for schema, files in schemas.items()},
        }

        with language_server(command, ROOT, settings) as editor:
            assert [one.text for one in editor.diagnose(f"{SHOP}foo: 1\n")] == ["foo"]
