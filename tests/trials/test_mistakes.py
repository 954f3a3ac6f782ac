"""What is wrong in a test file is said as in shopbot.yaml: all of it at once, with its place and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.trials.runner import run_tests
from support.trials import CONFIG, problems, tried

EVENT = "event: {sample: paid_order}"
EXPECT = "expect: {silence: NOT_PAID}"
NULL = "because YAML reads a bare `null` as nothing; without one, leave the key out"


def test_keys_types_and_words_are_checked(tmp_path: Path) -> None:
    tests = """\
givn: {}
given: {at: 2026-02-05, shopper: 7312345678901234, platform: [okay], window: opn, plugins: {http_cart: no}}
tests:
  - name: no
    event: {sample: paid_order, sets: {}}
    expect: {silence: NOTPAID}
  - name: two ways
    event: {sample: paid_order, says: Hi}
    expect: {message: {text: x}, silence: NOT_PAID}
  - name: no way
    event: {topic: orders/paid}
    expect: {}
  - name: no topic
    earlier: [{says: Hi, before: 5}]
    event: {file: order.json}
    wait: 31d
    expect: {messages: [], cart: clear}
  - name: an act
    event: {says: Hi, topic: orders/paid}
    expect: {message: {matches: "[", delivery: update, locale: no}, dead_letter: LOST, opted_out: "yes"}
  - name: a poll
    event: {sample: paid_order, polled: true, topic: orders/paid, order: "12"}
    expect: {silence: {confirm: not_paid}, calls: {http_cart: yes}, reference: kept}
"""
    expected = """\
shopbot.test.yaml:1:1: unknown key 'givn'; did you mean 'given'?
shopbot.test.yaml:2:13: given.at: expected a time such as 2026-02-05 10:30 or 2026-02-05T10:30:00+01:00, got 2026-02-05: give the time of day, too
shopbot.test.yaml:2:34: given.shopper: expected text, got the number 7312345678901234; put it in quotes: "7312345678901234"
shopbot.test.yaml:2:63: given.platform[0]: expected 'ok', 'outside_window', 'refused', 'retry', 'rate_limited', 'down' or 'in_doubt', got the text 'okay'; did you mean 'ok'?
shopbot.test.yaml:2:78: given.window: expected 'open', 'closed' or 'unknown', got the text 'opn'; did you mean 'open'?
shopbot.test.yaml:2:104: given.plugins.http_cart: expected text, got the boolean false, because YAML reads a bare `no` as false; put it in quotes: "no"
shopbot.test.yaml:4:11: tests[0].name: expected text, got the boolean false, because YAML reads a bare `no` as false; put it in quotes: "no"
shopbot.test.yaml:5:33: unknown key 'sets'; did you mean 'set'?
shopbot.test.yaml:6:23: tests[0].expect.silence: expected a reason code such as NOT_PAID, got the text 'NOTPAID'; did you mean 'NOT_PAID'?
shopbot.test.yaml:8:12: tests[1].event: expected one of sample, file, body, says, taps, presses, follows, not both sample and says
shopbot.test.yaml:9:13: tests[1].expect: expected either 'message' or 'silence', not both
shopbot.test.yaml:11:12: tests[2].event: expected one of sample, file, body, says, taps, presses, follows
shopbot.test.yaml:12:13: tests[2].expect: expected what must come of it: 'message', 'silence' or another key
shopbot.test.yaml:14:34: tests[3].earlier[0].before: expected a duration such as 30s, 10m, 24h or 365d, got 5: say which unit
shopbot.test.yaml:15:12: tests[3].event: expected a 'topic' beside 'file', such as orders/paid
shopbot.test.yaml:16:11: tests[3].wait: expected at most 30d
shopbot.test.yaml:17:24: tests[3].expect.messages: expected at least one entry, got none
shopbot.test.yaml:17:34: tests[3].expect.cart: expected 'cleared', 'already_empty', 'kept', 'failed' or 'untouched', got the text 'clear'; did you mean 'cleared'?
shopbot.test.yaml:19:12: tests[4].event: expected no 'topic' beside 'says'
shopbot.test.yaml:20:33: tests[4].expect.message.matches: expected a regular expression: unterminated character set at character 1
shopbot.test.yaml:20:48: tests[4].expect.message.delivery: expected 'RESPONSE', 'UPDATE' or 'UTILITY', got the text 'update'; did you mean 'UPDATE'?
shopbot.test.yaml:20:64: tests[4].expect.message.locale: expected text, got the boolean false, because YAML reads a bare `no` as false; put it in quotes: "no"
shopbot.test.yaml:20:82: tests[4].expect.dead_letter: expected a reason code such as OUTSIDE_WINDOW, got the text 'LOST'
shopbot.test.yaml:20:99: tests[4].expect.opted_out: expected true or false, got the text 'yes'
shopbot.test.yaml:22:74: tests[5].event.order: expected a whole number, got the text '12'
shopbot.test.yaml:23:33: tests[5].expect.silence.confirm: expected a reason code such as NOT_PAID, got the text 'not_paid'; did you mean 'NOT_PAID'?
shopbot.test.yaml:23:63: tests[5].expect.calls.http_cart: expected a whole number, got the boolean true, because YAML reads a bare `yes` as true
shopbot.test.yaml:23:80: tests[5].expect.reference: expected 'saved', 'confirmed', 'unresolved' or 'none', got the text 'kept'
"""  # noqa: E501 - as it is printed
    assert "\n".join(problems(tried(tmp_path, tests))) + "\n" == expected


def test_names_of_samples_rules_plugins_and_files_are_looked_up(tmp_path: Path) -> None:
    tests = """\
given: {plugins: {http_crt: cleared, redis_cart: emptied, messenger: passes}}
tests:
  - {name: a, event: {sample: payd_order}, expect: {silence: {confrim: NOT_PAID}}}
  - {name: b, event: {file: nope.json, topic: orders/paid}, expect: {calls: {token_lookup: 1, http_cart: 1, foo: 2}}}
  - {name: c, event: {sample: hello, order: 12}, expect: {opted_out: true}}
  - {name: d, event: {body: {}, topic: orders/piad}, expect: {opted_out: true}}
  - {name: e, given: {checkout: noted}, event: {sample: draft_order}, expect: {opted_out: true}}
  - {name: f, given: {checkout: signed}, event: {sample: paid_order}, expect: {opted_out: true}}
  - {name: g, given: {plugins: {audit_log: retried}}, event: {file: shopbot.yaml, topic: orders/paid}, expect: {opted_out: true}}
"""  # noqa: E501 - a flow mapping
    found = problems(tried(tmp_path, tests))

    names = (
        "shopify_hmac, messenger_hmac, note_attributes, token_lookup, redis_cart, http_cart, messenger, http_forward"
    )
    assert found == [
        "shopbot.test.yaml:1:19: the shop uses no plugin named 'http_crt'; did you mean 'http_cart'?",
        "shopbot.test.yaml:1:50: 'emptied' is no answer of redis_cart; possible: cleared, already_empty, kept, retry",
        "shopbot.test.yaml:3:31: there is no sample 'payd_order'; did you mean 'paid_order'?",
        "shopbot.test.yaml:3:63: there is no rule named 'confrim'; did you mean 'confirm'?",
        "shopbot.test.yaml:4:29: nope.json: there is no such file",
        (
            "shopbot.test.yaml:4:78: 'token_lookup' itself is at work, and its calls are not counted; answer for it"
            " under `plugins:`"
        ),
        f"shopbot.test.yaml:4:109: the shop uses no plugin named 'foo'; there are: {names}, audit_log",
        "shopbot.test.yaml:5:45: the sample 'hello' is what a shopper does, and has no 'order'",
        (
            "shopbot.test.yaml:6:40: 'orders/piad' is no topic that shopbot knows, and no rule has it; did you mean"
            " 'orders/paid'?"
        ),
        "shopbot.test.yaml:7:48: `checkout: noted` needs an event with a 'checkout_token', as orders have",
        "shopbot.test.yaml:8:33: the shop signs no checkout links: `checkout_tokens.keys` is empty",
        "shopbot.test.yaml:9:44: 'retried' is no answer of audit_log: no test can answer in its place",
        "shopbot.test.yaml:9:69: shopbot.yaml: the body is not JSON: Expecting value: line 1 column 1 (char 0)",
    ]


def test_what_is_set_is_held_against_what_such_a_body_has(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - name: an order
    event:
      sample: paid_order
      set:
        finacial_status: pending
        name: 1234
        created_at: 2026-02-05 10:00
        total_price: 42.50
        customer: {frist_name: Ada}
        test: "yes"
        tags: no
        line_items: [{titel: X, price: -1}]
        note_attributes: {psid: 731}
    expect: {silence: NOT_PAID}
  - name: a parcel
    event: {sample: shipped, set: {statsu: pending, tracking_number: 0123, destination: {zip: 10969}}}
    expect: {silence: NO_RULE}
  - name: a body
    event: {topic: orders/paid, body: {id: 1}, set: {finacial_status: paid, cancelled_at: 2026-02-05}}
    expect: {silence: NO_RULE}
"""
    expected = """\
shopbot.test.yaml:7:9: unknown key 'finacial_status'; did you mean 'financial_status'?
shopbot.test.yaml:8:15: tests[0].event.set.name: expected text, got the number 1234; put it in quotes: "1234"
shopbot.test.yaml:9:21: tests[0].event.set.created_at: expected a time with its UTC offset, such as 2026-02-05T10:30:00+01:00, got the text '2026-02-05 10:00'
shopbot.test.yaml:10:22: tests[0].event.set.total_price: expected text, got the number 42.5, because YAML reads a bare `42.50` as 42.5; put it in quotes: "42.50"
shopbot.test.yaml:11:20: unknown key 'frist_name'; did you mean 'first_name'?
shopbot.test.yaml:12:15: tests[0].event.set.test: expected true or false, got the text 'yes'
shopbot.test.yaml:13:15: tests[0].event.set.tags: expected text, got the boolean false, because YAML reads a bare `no` as false; put it in quotes: "no"
shopbot.test.yaml:14:22: tests[0].event.set.line_items[0] has no 'title'
shopbot.test.yaml:14:23: unknown key 'titel'; did you mean 'title'?
shopbot.test.yaml:14:40: tests[0].event.set.line_items[0].price: expected at least 0, got -1
shopbot.test.yaml:15:33: tests[0].event.set.note_attributes.psid: expected text, got the number 731; put it in quotes: "731"
shopbot.test.yaml:18:36: unknown key 'statsu'; did you mean 'status'?
shopbot.test.yaml:18:70: tests[1].event.set.tracking_number: expected text, got the number 83, because YAML reads a bare `0123` as 83; put it in quotes: "0123"
shopbot.test.yaml:18:95: tests[1].event.set.destination.zip: expected text, got the number 10969; put it in quotes: "10969"
shopbot.test.yaml:21:54: unknown key 'finacial_status'; did you mean 'financial_status'?
shopbot.test.yaml:21:91: tests[2].event.set.cancelled_at: expected a time with its UTC offset, such as 2026-02-05T10:30:00+01:00, got the text '2026-02-05'
"""  # noqa: E501 - as it is printed
    assert "\n".join(problems(tried(tmp_path, tests))) + "\n" == expected


@pytest.mark.parametrize(
    ("tests", "problem"),
    [
        ("", ": the file is empty"),
        ("tests: [", ":1:9: the file ends here, and a '[' or '{' is still open"),
        ("tests: []", ":1:8: tests: expected at least one entry, got none"),
        (
            f"tests:\n  - {{name: a, {EVENT}, {EXPECT}}}\n  - {{name: a, {EVENT}, {EXPECT}}}\n",
            ":3:12: tests[1].name: expected a name of its own, got the text 'a': tests[0] has the same",
        ),
        (
            f"tests:\n  - name: a\n    {EVENT}\n    expect:\n      silence:\n",
            ":5:15: tests[0].expect.silence: expected a value, got nothing; without one, leave the key out",
        ),
        (
            f"tests:\n  - {{name: a, {EVENT}, expect: {{message: {{text: null}}}}}}\n",
            f":2:69: tests[0].expect.message.text: expected a value, got nothing, {NULL}",
        ),
        (
            f"tests:\n  - {{name: a, earlier: [{{says: a}}, {{says: b, before: 2m}}], {EVENT}, {EXPECT}}}\n",
            ":2:5: tests[0]: expected 'earlier' in the order in which it happens: the longest 'before' first",
        ),
        (
            f"tests:\n  - name: a\n    {EVENT}\n    expect:\n      message:\n        text: Your order #1234\n",
            ":6:15: to YAML, '#1234' is a comment: put the whole text in quotes",
        ),
        (
            f"tests:\n  - name: a\n    {EVENT}\n    expect:\n      message:\n        contains:\n          - Order #1\n",
            ":7:13: to YAML, '#1' is a comment: put the whole text in quotes",
        ),
        (
            f"tests:\n  - name: a\n    {EVENT}\n    expect: {{message: {{}}}}  # Order #1\n  - name: b\n",
            ":5:5: tests[1] has no 'event'",
        ),
    ],
)
def test_one_problem_has_one_place(tmp_path: Path, tests: str, problem: str) -> None:
    assert f"shopbot.test.yaml{problem}" in problems(tried(tmp_path, tests))


def test_a_configuration_with_errors_is_not_tried(tmp_path: Path) -> None:
    report = tried(tmp_path, f"tests: [{{name: a, {EVENT}, {EXPECT}}}]", config=CONFIG + "shpo: {}\n")

    assert problems(report) == ["shopbot.yaml:41:1: unknown key 'shpo'; did you mean 'shop'?"]
    assert not report.ok


def test_warnings_stop_nothing(tmp_path: Path) -> None:
    config = CONFIG.replace("on: orders/paid, steps", "on: orders/piad, steps")
    report = tried(
        tmp_path, f"tests: [{{name: a, given: {{window: open}}, {EVENT}, expect: {{message: {{}}}}}}]", config=config
    )

    assert [problem.severity for problem in report.problems] == ["warning"]
    assert report.ok


def test_a_configuration_without_tests_is_fine_as_far_as_they_go(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
    report = run_tests(tmp_path / "shopbot.yaml", {})

    assert (report.ok, report.results, report.problems) == (True, (), ())
    assert report.tests == tmp_path / "shopbot.test.yaml"
