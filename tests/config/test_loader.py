from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.config.compose import LARGEST_TEXT_BYTES
from shopbot.config.loader import read, read_text
from shopbot.config.problem import ConfigError

SMALLEST = "shop: {domain: acme.myshopify.com, name: Acme}\n"

WHOLE = """\
# yaml-language-server: $schema=config/shopbot.schema.json
shop:
  domain: acme.myshopify.com
  name: Acme
  locale: en
  timezone: Europe/Berlin
  delivery: {business_days: 3}
store: embedded
verify:
  - use: shopify_hmac
    secrets: ["${SHOPIFY_WEBHOOK_SECRET}"]
    reject_status: 403
  - use: messenger_hmac
    app_secret: ${MESSENGER_APP_SECRET}
    verify_token: ${MESSENGER_VERIFY_TOKEN}
resolvers:
  - use: note_attributes
    key: psid
    trust: known_shopper
  - use: attributes
    key: psid
  - use: token_lookup
carts:
  - use: redis_cart
senders:
  - use: messenger
    page_id: "102290129340398"
    access_token: ${MESSENGER_PAGE_TOKEN}
    api_url: https://graph.facebook.com/v25.0
pollers:
  - use: shopify_orders
    every: 60s
    overlap: 10m
ttl: {checkout_token: 24h, checkout_token_lookup: 24h, order_reference: 365d, webhook_id: 48h, journal: 30d}
retry: {attempts: 8, first: 2s, factor: 4, max: 1h}
rules:
  - name: order_confirmation
    on: [orders/create, orders/paid, orders/updated]
    when: {financial_status: [paid], cancelled: false, test: false}
    once_per: order
    steps: [resolve_psid, clear_cart, save_order_reference, {send_message: order_confirmation}]
messages:
  order_confirmation:
    tag: order_update
    limit: 1/day
    on_limit: hold
    text: order_confirmation.txt.j2
    utility_template:
      name: order_confirmation
      parameters: ["{{ order.name }}", "{{ order.estimated_delivery | date }}"]
"""

SECRETS = {
    "SHOPIFY_WEBHOOK_SECRET": "hunter2-shopify",
    "MESSENGER_APP_SECRET": "hunter2-app",
    "MESSENGER_VERIFY_TOKEN": "hunter2-verify",
    "MESSENGER_PAGE_TOKEN": "hunter2-page",
}


def complaints(text: str, **environ: str) -> list[str]:
    return [str(problem) for problem in read_text(text, "shopbot.yaml", environ).problems]


def test_the_whole_shape_loads_without_a_problem() -> None:
    loaded = read_text(WHOLE, "shopbot.yaml", SECRETS)

    assert loaded.problems == ()
    made = loaded.checked()
    assert [entry.use for entry in made.resolvers] == ["note_attributes", "attributes", "token_lookup"]
    assert made.verify[0].settings == {"secrets": ["hunter2-shopify"], "reject_status": 403}
    assert made.rules[0].plan[-1] == ("send_message", "order_confirmation")
    assert made.messages["order_confirmation"].on_limit == "hold"


def test_no_secret_is_in_anything_that_can_be_printed() -> None:
    loaded = read_text(WHOLE, "shopbot.yaml", SECRETS)
    made = loaded.checked()

    for shown in (repr(loaded), repr(loaded.document), repr(made), repr(made.model_dump()), made.model_dump_json()):
        assert "hunter2" not in shown


BROKEN = """\
shop:
  domain: Acme.myshopify.com
  nmae: Acme
  locale: no
store: redis://user:hunter2@host:port/0
verify:
  - use: shopify_hmac
    secrets: ["${SHOPIFY_SECRET}"]
  - secrets: [x]
    time_limit: ${TIME_LIMIT}
rules:
  - name: order_confirmation
    on: [orders/create, order/paid]
    when:
      finacial_status: [paid]
      test: maybe
    steps: [resolve_psid, {send_message: a, clear_cart: b}]
  - on: orders/paid
    steps: []
messages:
  order_confirmation:
    tag: POST_PURCHASE_UPDATE
    on_limit: ${ON_LIMIT}
    text: {{ order.name }}
ttl: {journal: 30}
retry: {attempts: 0}
ttl: {}
"""


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    assert complaints(BROKEN, TIME_LIMIT="hunter2", ON_LIMIT="hunter2", SHOPIFY_SECRETS="hunter2") == [
        "shopbot.yaml:1:1: shop has no 'name'",
        (
            "shopbot.yaml:2:11: shop.domain: expected the shop's own hostname in lower case, such as "
            "acme.myshopify.com, got the text 'Acme.myshopify.com'; did you mean 'acme.myshopify.com'?"
        ),
        "shopbot.yaml:3:3: unknown key 'nmae'; did you mean 'name'?",
        (
            "shopbot.yaml:4:11: shop.locale: expected text, got the boolean false, because YAML reads a bare `no` as "
            'false; put it in quotes: "no"'
        ),
        (
            "shopbot.yaml:5:8: store: expected 'embedded' or a URL such as redis://host:6379/0, rediss://host:6379/0 "
            "or unix:///path/to/socket, got a text"
        ),
        "shopbot.yaml:8:15: the environment variable 'SHOPIFY_SECRET' is not set; did you mean 'SHOPIFY_SECRETS'?",
        "shopbot.yaml:9:5: verify[1] has no 'use'",
        (
            "shopbot.yaml:10:17: verify[1].time_limit: expected a duration such as 30s, 10m, 24h or 365d, "
            "got the value of ${TIME_LIMIT}"
        ),
        (
            "shopbot.yaml:13:25: warning: 'order/paid' is no topic that shopbot knows, so the rule would never match; "
            "did you mean 'orders/paid'?"
        ),
        "shopbot.yaml:15:7: unknown key 'finacial_status'; did you mean 'financial_status'?",
        "shopbot.yaml:16:13: rules[0].when.test: expected true or false, got the text 'maybe'",
        (
            "shopbot.yaml:17:27: rules[0].steps[1]: expected a step: a name, or one 'name: setting', got a mapping "
            "with 2 keys; start each step with '- '"
        ),
        "shopbot.yaml:18:5: rules[1] has no 'name'",
        "shopbot.yaml:19:12: rules[1].steps: expected at least one entry, got none",
        (
            "shopbot.yaml:22:10: messages.order_confirmation.tag: expected one of shopbot's own purposes, such as "
            "order_update, got the text 'POST_PURCHASE_UPDATE': Messenger refuses that tag since 2026-04-27, so it "
            "can never be sent"
        ),
        (
            "shopbot.yaml:23:15: messages.order_confirmation.on_limit: expected 'hold' or 'drop', "
            "got the value of ${ON_LIMIT}"
        ),
        "shopbot.yaml:24:11: a key must be a word; a text that starts with '{' or '[' needs quotes",
        "shopbot.yaml:25:16: ttl.journal: expected a duration such as 30s, 10m, 24h or 365d, got 30: say which unit",
        "shopbot.yaml:26:19: retry.attempts: expected at least 1, got 0",
        "shopbot.yaml:27:1: duplicate key 'ttl'; the first one is in line 25",
    ]


def test_a_file_without_a_shop_says_so() -> None:
    assert complaints("store: embedded") == ["shopbot.yaml:1:1: the file has no 'shop'"]


def test_an_empty_file_and_a_syntax_error_are_one_problem_each() -> None:
    assert complaints("") == ["shopbot.yaml: the file is empty"]
    assert complaints("shop:\n\tname: x") == ["shopbot.yaml:2:1: a tab: YAML is indented with spaces only"]
    assert complaints("- shop") == ["shopbot.yaml:1:1: expected 'key: value' lines, as in 'shop:'"]


def test_a_problem_behind_an_alias_is_reported_once() -> None:
    text = SMALLEST + "ttl: &wrong {journal: 5}\nretry: {}\nworker: {}\nlog: {}\n"
    aliased = text.replace("retry: {}", "messages: {a: {text: x, limit: &l 5}, b: {text: x, limit: *l}}")

    assert [line.split(": ")[1] for line in complaints(aliased)] == [
        "ttl.journal",
        "messages.a.limit",
        "messages.b.limit",
    ]


def test_warnings_alone_leave_the_settings_usable() -> None:
    loaded = read_text(SMALLEST + "rules: [{name: a, on: order/paid, steps: [b]}]", "f", {})

    assert [problem.severity for problem in loaded.problems] == ["warning"]
    assert loaded.errors == ()
    assert loaded.checked().rules[0].on == ("order/paid",)


def test_an_unset_variable_keeps_the_settings_from_being_used() -> None:
    loaded = read_text(SMALLEST + "senders: [{use: a, token: '${NOPE}'}]", "f", {})

    assert loaded.settings is None
    with pytest.raises(ConfigError, match="the environment variable 'NOPE' is not set"):
        loaded.checked()


def test_numbers_and_switches_may_come_from_the_environment() -> None:
    text = (
        SMALLEST
        + "worker: {concurrency: '${N}'}\nrules: [{name: a, on: orders/paid, when: {test: '${T:-no}'}, steps: [b]}]"
    )
    made = read_text(text, "f", {"N": "8"}).checked()

    assert made.worker.concurrency == 8
    assert made.rules[0].when.test is False


# files


def test_directories_start_where_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_text(SMALLEST + "data_dir: /var/lib/shopbot\n", encoding="utf-8")
    made = read(path, {}).checked()

    assert made.plugins_dir == tmp_path / "plugins.d"
    assert made.data_dir == Path("/var/lib/shopbot")


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode() + b"strore: x\r\n")

    assert [str(problem) for problem in read(path, {}).problems] == [
        f"{path}:2:1: unknown key 'strore'; did you mean 'store'?"
    ]


def test_a_missing_file_and_a_directory_are_problems(tmp_path: Path) -> None:
    missing = tmp_path / "shopbot.yaml"

    assert [str(problem) for problem in read(missing, {}).problems] == [f"{missing}: there is no such file"]
    assert [str(problem) for problem in read(tmp_path, {}).problems] == [
        f"{tmp_path}: this is a directory: name the file in it"
    ]
    assert [problem.message for problem in read(missing / "x", {}).problems] == ["there is no such file"]
    missing.write_text(SMALLEST, encoding="utf-8")
    assert [problem.message for problem in read(missing / "x", {}).problems] == [
        "the file cannot be read: Not a directory"
    ]
    assert [problem.message for problem in read(Path("a\0b"), {}).problems] == ["this cannot be the name of a file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_text(SMALLEST, encoding="utf-8")
    path.chmod(0)

    assert [problem.message for problem in read(path, {}).problems] == ["this process may not read the file"]


def test_a_file_that_is_not_utf_8_is_a_problem_at_the_first_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_bytes("shop:\n  name: Müßig & Söhne\n".encode("latin-1"))

    assert [str(problem) for problem in read(path, {}).problems] == [
        f"{path}:2:10: the file is not UTF-8: save it as UTF-8"
    ]


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shopbot.yaml"
    path.write_bytes(b"#" * (LARGEST_TEXT_BYTES + 1))

    assert "larger than" in read(path, {}).problems[0].message


# whatever comes

PIECES = st.sampled_from(
    [
        "shop: ",
        "  domain: ",
        "rules:",
        "- ",
        "on: ",
        "steps: ",
        "name",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "&a ",
        "*a",
        "<<: ",
        "!x ",
        "!!int ",
        "!!str ",
        "---\n",
        "...",
        ">",
        "#",
        "%YAML 1.1\n",
        "? ",
        ": ",
        ":",
        ",",
        "no",
        "12:30",
        "0x_",
        "0b_",
        "2026-99-99",
        "2026-01-01 00:00:00 +99:99",
        "~",
        "${A}",
        "${B}",
        "$${",
        "${{",
        "@",
        "`",
        "\t",
        "\\",
        '"\\U99999999"',
        "1e3",
        ".inf",
        ".nan",
        "messages:",
        "when: ",
        "store: ",
        "a",
        "use: ",
        "verify: ",
        "time_limit: ",
        "ttl: ",
        "é",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x00",
        "=",
        "<<",
        "retry: ",
        "first: ",
        "max: ",
        "if: ",
        "redis://[::1",
        "text_matches: ",
        "(?P<",
        "delivery: ",
        "country: ",
        "DE",
        "subdivision: ",
        "timezone: ",
        "locale: ",
        "../x",
        "Europe",
        "1:59:59.5",
        "factor: ",
        "data_dir: ",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=40).map("".join)))
def test_no_text_raises_anything_or_shows_a_secret(text: str) -> None:
    loaded = read_text(text, "f", {"A": "hunter2-hunter2"})

    assert loaded.settings is not None or loaded.errors
    for problem in loaded.problems:
        assert len(str(problem).splitlines()) == 1
        assert "hunter2" not in str(problem)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    path.write_bytes(content)

    assert read(path, {}).problems


LINES = WHOLE.splitlines()


@settings(deadline=None)
@given(st.integers(0, len(LINES) - 1), st.integers(0, 110), st.sampled_from([*" :-[]{}'\"#&*!|>%@`,$\t", "no", "5"]))
def test_a_slip_of_the_finger_is_pointed_at_inside_the_file(line: int, column: int, typed: str) -> None:
    changed = [*LINES]
    changed[line] = changed[line][:column] + typed + changed[line][column:]

    for problem in read_text("\n".join(changed), "f", SECRETS).problems:
        assert "hunter2" not in str(problem)
        assert problem.line is not None
        assert 1 <= problem.line <= len(LINES) + 1
        assert problem.column is not None
        assert 1 <= problem.column <= 130
