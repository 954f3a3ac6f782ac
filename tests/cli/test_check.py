"""`shopbot check`, by its whole output: what is wrong, where, and what was probably meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from shopbot.discovery import discover
from support.command_line import shopbot

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "shopbot.yaml").read_text(encoding="utf-8")
VARIABLES = re.findall(r"\$\{(\w+)\}", "\n".join(line.partition("#")[0] for line in EXAMPLE.splitlines()))
UNSET = dict.fromkeys(VARIABLES)
INSTALLED = ", ".join(discover())

SHOP = "shop: {domain: acme.myshopify.com, name: Acme}\n"
VERIFY = "verify: [{use: shopify_hmac, secrets: [not-a-real-secret]}]\n"


def check(directory: Path, text: str, environ: Mapping[str, str | None] | None = None) -> tuple[int, str]:
    """Check a shopbot.yaml and give the exit code and the output."""
    (directory / "shopbot.yaml").write_text(text, encoding="utf-8")
    ended = shopbot("check", directory=directory, environ=environ)
    assert ended.errors == ""
    return ended.exit_code, "\n" + ended.output


def test_a_sound_configuration_has_no_problems(tmp_path: Path) -> None:
    assert check(tmp_path, SHOP) == (0, "\nshopbot.yaml: no problems\n")


def test_a_plugin_that_is_not_installed_is_named_with_those_that_are(tmp_path: Path) -> None:
    code, output = check(tmp_path, SHOP + "verify: [{use: shopify_hamc, secrets: [x1]}]\n")

    expected = f"""
shopbot.yaml:2:16: no plugin named 'shopify_hamc'; installed: {INSTALLED}; did you mean 'shopify_hmac'?
shopbot.yaml: 1 problem
"""

    assert (code, output) == (1, expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": the file is empty"),
        ("shop: [", ":1:8: the file ends here, and a '[' or '{' is still open"),
        (SHOP + "shop: {}\n", ":2:1: duplicate key 'shop'; the first one is in line 1"),
        (
            SHOP + "verify: [{use: redis_cart}]\n",
            ":2:16: 'redis_cart' is a cart and cannot stand under `verify:`",
        ),
        (
            SHOP + "worker: {lease: 5}\n",
            ":2:17: worker.lease: expected a duration such as 30s, 10m, 24h or 365d, got 5: say which unit",
        ),
    ],
)
def test_one_problem_is_one_line_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert check(tmp_path, text) == (1, f"\nshopbot.yaml{problem}\nshopbot.yaml: 1 problem\n")


def test_warnings_alone_are_no_failure(tmp_path: Path) -> None:
    rule = "rules: [{name: r, on: orders/piad, steps: [save_order_reference]}]\n"
    code, output = check(tmp_path, SHOP + rule + VERIFY)

    expected = """
shopbot.yaml:2:23: warning: 'orders/piad' is no topic that shopbot knows, so the rule would never match; did you mean 'orders/paid'?
shopbot.yaml: 1 warning
"""  # noqa: E501 - as it is printed

    assert (code, output) == (0, expected)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    text = SHOP + "verify: [{use: shopify_hmac, secrets: '${A_SECRET}'}]\nstore: ${A_SECRET}\n"
    text += "log: {level: '${A_SECRET}'}\n"

    code, output = check(tmp_path, text, {"A_SECRET": "hunter2-hunter2"})

    assert code == 1
    assert output.count("shopbot.yaml:") == 4
    assert "hunter2" not in output


class TestTemplatesAndConditions:
    """Are tried on made-up orders, so that no real one finds what is wrong."""

    RULE = "rules: [{name: r, on: %s, if: '%s', steps: [update_order_reference]}]\n" + VERIFY

    @pytest.mark.parametrize(
        ("topics", "condition", "problem"),
        [
            ("orders/paid", "order.totl.amount > 5", "`if:` an Order has no 'totl'; did you mean 'total'?"),
            ("orders/paid", "oder.total.amount > 5", "`if:` 'oder' is not defined; did you mean 'order'?"),
            (
                "orders/paid",
                "{{ order.test }}",
                "`if:` an expression stands without {{ }}, as in `order.total.amount > 100`",
            ),
            ("orders/paid", "order.name | shout", "`if:` there is no filter 'shout'; did you mean 'sort'?"),
            ("orders/paid", "order.total.amount > 5", None),
            ("orders/paid", 'customer.first_name == "Ada"', None),
            # Nobody knows what stands in the body.
            ("orders/paid", 'payload.tags == "vip"', None),
            (
                "refunds/create",
                "order.total.amount > 5",
                "`if:` asks for 'order', and refunds/create brings none: the rule fails there; 'order' comes with orders/cancelled, orders/create, orders/fulfilled, orders/paid, orders/partially_fulfilled or orders/updated",  # noqa: E501 - as it is printed
            ),
        ],
    )
    def test_a_condition_is_tried_where_that_says_something(
        self, tmp_path: Path, topics: str, condition: str, problem: str | None
    ) -> None:
        found = check(tmp_path, SHOP + self.RULE % (topics, condition))

        if problem is None:
            assert found == (0, "\nshopbot.yaml: no problems\n")
        else:
            place = f"shopbot.yaml:2:{29 + len(topics)}"
            assert found == (1, f"\n{place}: {problem}\nshopbot.yaml: 1 problem\n")

    def test_a_template_in_another_language_is_tried_too(self, tmp_path: Path) -> None:
        templates = tmp_path / "templates"
        templates.mkdir()
        (templates / "hello.txt.j2").write_text("Hello\n", encoding="utf-8")
        (templates / "hello.de.txt.j2").write_text("Hallo\n{{ customer.vorname }}\n", encoding="utf-8")

        code, output = check(tmp_path, SHOP + "messages: {hello: {text: hello.txt.j2}}\n")

        expected = """
shopbot.yaml:2:26: hello.de.txt.j2:2: a Customer has no 'vorname'
shopbot.yaml: 1 problem
"""

        assert (code, output) == (1, expected)

    def test_the_text_and_the_utility_template_are_both_looked_at(self, tmp_path: Path) -> None:
        text = """\
messages:
  hello:
    text: "{{ order.nmae }}"
    utility_template: {name: hello, parameters: ["{{ order.emial }}"]}
"""
        code, output = check(tmp_path, SHOP + text)

        expected = """
shopbot.yaml:4:11: messages.hello.text:1: an Order has no 'nmae'; did you mean 'name'?
shopbot.yaml:5:50: messages.hello.utility_template.parameters[0]:1: an Order has no 'emial'; did you mean 'email'?
shopbot.yaml: 2 problems
"""

        assert (code, output) == (1, expected)

    def test_a_text_over_messengers_limit_is_a_problem_and_not_cut_in_silence(self, tmp_path: Path) -> None:
        code, output = check(tmp_path, SHOP + f"messages: {{long: {{text: '{'x' * 2001}'}}}}\n")

        expected = """
shopbot.yaml:2:25: the text is 2001 characters long for the sample 'everyday'; Messenger takes 1999 at most, and longer texts are cut
shopbot.yaml: 1 problem
"""  # noqa: E501 - as it is printed

        assert (code, output) == (1, expected)

    def test_filters_of_a_plugin_that_is_broken_are_no_further_problem(self, tmp_path: Path) -> None:
        text = """\
plugins: [{use: privacy_filters, hiden: x}]
messages:
  hello: {text: "{{ order.email | mask_email }} {{ order.name }}"}
  slip: {text: "{{ order.nmae }}"}
"""
        code, output = check(tmp_path, SHOP + text)

        expected = """
shopbot.yaml:2:34: unknown key 'hiden'; did you mean 'hidden'?
shopbot.yaml:5:16: messages.slip.text:1: an Order has no 'nmae'; did you mean 'name'?
shopbot.yaml: 2 problems
"""

        assert (code, output) == (1, expected)

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("money", "shopbot.yaml: the filter 'money' exists already; a plugin's filter needs another name"),
            ("initial", "shopbot.yaml: plugins[1]:taking: another plugin already brings the filter 'initial'"),
        ],
    )
    def test_a_filter_whose_name_is_taken_is_a_problem(self, tmp_path: Path, name: str, problem: str) -> None:
        plugins = tmp_path / "plugins.d"
        plugins.mkdir()
        source = f"""
from shopbot.plugin import hookimpl

class Plugin:
    def __init__(self, config): ...

    @hookimpl
    def template_filters(self):
        return {{"{name}": str}}
"""
        (plugins / "taking.py").write_text(source, encoding="utf-8")

        found = check(tmp_path, SHOP + "plugins: [{use: privacy_filters}, {use: taking}]\n")

        assert found == (1, f"\n{problem}\nshopbot.yaml: 1 problem\n")


class TestTheCompleteExample:
    """The root shopbot.yaml."""

    def test_it_passes_when_its_variables_are_set(self) -> None:
        ended = shopbot("check", directory=ROOT, environ={name: f"value-of-{name}" for name in VARIABLES})

        assert (ended.exit_code, ended.output) == (0, "shopbot.yaml: no problems\n")

    def test_it_names_the_variables_that_are_not_set_with_their_places(self) -> None:
        ended = shopbot("check", directory=ROOT, environ=UNSET)

        *lines, summary = ended.output.splitlines()
        assert ended.exit_code == 1
        assert summary == f"shopbot.yaml: {len(VARIABLES)} problems"
        for line, name in zip(lines, VARIABLES, strict=True):
            place, _, message = line.partition(": ")
            _, number, column = place.split(":")
            assert message == f"the environment variable '{name}' is not set"
            assert EXAMPLE.splitlines()[int(number) - 1][int(column) - 1 :].lstrip('"').startswith(f"${{{name}}}")


class TestWarnings:
    RULE = "rules: [{name: r, on: orders/piad, steps: [save_order_reference]}]\n"

    @pytest.mark.parametrize(
        ("text", "arguments", "code"),
        [(RULE, (), 0), (RULE, ("--strict",), 1), (RULE, ("--strict", "--json"), 1), ("", ("--strict",), 0)],
    )
    def test_fail_only_where_that_is_asked_for(
        self, tmp_path: Path, text: str, arguments: tuple[str, ...], code: int
    ) -> None:
        (tmp_path / "shopbot.yaml").write_text(SHOP + text, encoding="utf-8")

        assert shopbot("check", *arguments, directory=tmp_path).exit_code == code


class TestFilesAndExitCodes:
    def test_a_file_that_is_not_there_is_a_problem(self, tmp_path: Path) -> None:
        ended = shopbot("check", directory=tmp_path)

        assert (ended.exit_code, ended.output) == (
            1,
            "shopbot.yaml: there is no such file\nshopbot.yaml: 1 problem\n",
        )

    def test_several_files_are_checked_one_after_the_other(self, tmp_path: Path) -> None:
        (tmp_path / "good.yaml").write_text(SHOP, encoding="utf-8")
        (tmp_path / "bad.yaml").write_text(SHOP + "shpo: 1\n", encoding="utf-8")

        ended = shopbot("check", "good.yaml", "bad.yaml", "bad.yaml", directory=tmp_path)

        assert ended.exit_code == 1
        assert ended.output.splitlines() == [
            "bad.yaml:2:1: unknown key 'shpo'; did you mean 'shop'?",
            "good.yaml: no problems",
            "bad.yaml: 1 problem",
        ]

    def test_a_test_file_stands_for_the_configuration_beside_it(self, tmp_path: Path) -> None:
        """So that `shops/*.yaml` means the shops."""
        (tmp_path / "acme.yaml").write_text(SHOP, encoding="utf-8")
        (tmp_path / "acme.test.yaml").write_text("tests: []\n", encoding="utf-8")

        ended = shopbot("check", "acme.test.yaml", "acme.yaml", directory=tmp_path)

        assert (ended.exit_code, ended.output) == (0, "acme.yaml: no problems\n")

    def test_paths_in_a_file_start_at_the_file_and_not_where_the_command_runs(self, tmp_path: Path) -> None:
        shop = tmp_path / "shops" / "acme"
        (shop / "templates").mkdir(parents=True)
        (shop / "templates" / "own.txt.j2").write_text("Our own text", encoding="utf-8")
        (shop / "shopbot.yaml").write_text(SHOP + "messages: {own: {text: own.txt.j2}}\n", encoding="utf-8")

        ended = shopbot("check", "shops/acme/shopbot.yaml", directory=tmp_path)

        assert (ended.exit_code, ended.output) == (0, "shops/acme/shopbot.yaml: no problems\n")

    @pytest.mark.parametrize("arguments", [["--jsno"], ["--plugins-dir", "x"]])
    def test_wrong_usage_has_an_exit_code_of_its_own(self, tmp_path: Path, arguments: list[str]) -> None:
        ended = shopbot("check", *arguments, directory=tmp_path)

        assert (ended.exit_code, ended.output) == (2, "")
        assert ended.errors.startswith("Usage: shopbot check")

    def test_scripts_get_one_json_object_per_problem(self, tmp_path: Path) -> None:
        text = SHOP + "shpo: 1\nrules: [{name: r, on: orders/piad, steps: [save_order_reference]}]\n" + VERIFY
        (tmp_path / "shopbot.yaml").write_text(text, encoding="utf-8")

        ended = shopbot("check", "--json", directory=tmp_path)

        assert ended.exit_code == 1
        assert [json.loads(line) for line in ended.output.splitlines()] == [
            {
                "file": "shopbot.yaml",
                "line": 2,
                "column": 1,
                "severity": "error",
                "message": "unknown key 'shpo'; did you mean 'shop'?",
            },
            {
                "file": "shopbot.yaml",
                "line": 3,
                "column": 23,
                "severity": "warning",
                "message": "'orders/piad' is no topic that shopbot knows, so the rule would never match; did you mean"
                " 'orders/paid'?",
            },
        ]

    def test_scripts_get_nothing_where_nothing_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "shopbot.yaml").write_text(SHOP, encoding="utf-8")

        ended = shopbot("check", "--json", directory=tmp_path)

        assert (ended.exit_code, ended.output, ended.errors) == (0, "", "")
