"""What a test can expect: each key holds what came of an event against what must come of it, and says what is wrong."""

from __future__ import annotations

from pathlib import Path

from support.trials import failures, tried

SHOWN = ", shown below as \\u…, which YAML reads between double quotes"


def test_messages_are_held_against_everything_that_is_said_of_them(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - name: all of it
    event: {sample: paid_order}
    expect:
      message:
        text: "Order #1234 for €55.40\\n\\n"
        contains: ["#1234", "€"]
        lacks: refund
        matches: ^Order .*40$
        delivery: UPDATE
        locale: en
        to: "7312345678901234"
        quick_replies: ["Where is it?"]
  - name: the text
    event: {sample: paid_order}
    expect: {message: {text: "Order #1235 for €55.40"}}
  - name: parts
    event: {sample: paid_order}
    expect: {message: {contains: ["#1234", Thanks], lacks: "€", matches: ^Dear}}
  - name: the way
    event: {sample: paid_order}
    expect: {message: {delivery: UTILITY, locale: de, to: "1", quick_replies: [], template: {name: order_confirmed}}}
  - name: too many
    event: {sample: paid_order}
    expect: {messages: [{}, {contains: "#1234"}]}
  - name: none
    event: {sample: pending_order}
    expect: {message: {}}
"""
    report = tried(tmp_path, tests)

    assert failures(report) == {
        "the text": ["the text of the message is another"],
        "parts": [
            "the text of the message does not contain 'Thanks'",
            "the text of the message contains '€'",
            "the text of the message does not match '^Dear'",
        ],
        "the way": [
            "the message went to …1234 and not to …",
            "the message was sent as UPDATE, not as UTILITY",
            "the language of the message is en, not de",
            "the quick replies of the message are others",
            "the message was sent as UPDATE, without a utility template",
        ],
        "too many": ["message 2 was not sent: confirm: DONE; tell: DONE"],
        "none": ["the message was not sent: confirm: NOT_PAID (the financial status is pending)"],
    }
    assert report.results[1].failures[0].diff == (
        *("--- expected", "+++ sent", "@@ -1 +1 @@"),
        *("-Order #1235 for €55.40", "+Order #1234 for €55.40"),
    )
    places = [(failure.line, failure.column) for result in report.failed for failure in result.failures]
    assert places[:4] == [(17, 24), (20, 44), (20, 53), (20, 65)]


def test_a_utility_template_is_held_against_its_words_and_values(tmp_path: Path) -> None:
    tests = """\
given: {window: closed}
tests:
  - name: as it reads
    event: {sample: german_order}
    expect:
      message:
        text: "Deine Bestellung #1234 ist da, danke."
        delivery: UTILITY
        locale: de
        quick_replies: []
        template: {name: order_confirmed, language: de, parameters: ["#1234"]}
  - name: another
    event: {sample: arabic_order}
    expect: {message: {contains: danke, template: {name: x, language: ar, parameters: []}}}
"""
    assert failures(tried(tmp_path, tests)) == {
        "another": [
            "the text of the message does not contain 'danke'",
            "the name of the template: got order_confirmed",
            "the language of the template: got en",
            "the parameters of the template: got ['#1234']",
        ]
    }


def test_the_words_of_a_template_that_meta_alone_has_cannot_be_expected(tmp_path: Path) -> None:
    config = """\
shop: {domain: acme.myshopify.com, name: Acme}
verify: [{use: shopify_hmac, secrets: [s]}, {use: messenger_hmac, app_secret: a, verify_token: v}]
resolvers: [{use: note_attributes, key: psid, trust: any}]
senders: [{use: console}]
rules: [{name: r, on: orders/paid, steps: [resolve_psid, {send_message: m}]}]
messages: {m: {text: Hello, utility_template: {name: m, language: en_US, parameters: ["{{ order.name }}"]}}}
"""
    tests = """\
tests:
  - {name: words, event: {sample: paid_order}, expect: {message: {contains: Hello}}}
  - {name: values, event: {sample: paid_order}, expect: {message: {template: {parameters: ["#1234"]}}}}
"""
    [message] = failures(tried(tmp_path, tests, config=config))["words"]

    assert message == (
        "nobody can say what the text of the message is: the words of its utility template stand at Meta alone; give"
        " them as `body:`, or expect `template:`"
    )


def test_silence_is_expected_for_a_reason(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - {name: right, event: {sample: pending_order}, expect: {silence: NOT_PAID}}
  - {name: of the event, event: {sample: shipped}, expect: {silence: NO_RULE}}
  - {name: of one rule, event: {sample: refunded_order, topic: orders/paid}, expect: {silence: {confirm: NOT_PAID, tell: DONE}}}
  - {name: without a message, event: {sample: stop}, expect: {silence: DONE, opted_out: true}}
  - {name: wrong reason, event: {sample: pending_order}, expect: {silence: TEST_ORDER}}
  - {name: wrong rule, event: {sample: pending_order}, expect: {silence: {confirm: CANCELLED, tell: DONE}}}
  - {name: no silence, event: {sample: paid_order}, expect: {silence: NOT_PAID}}
  - name: again
    earlier: [{sample: paid_order, id: x}]
    event: {sample: paid_order, id: x}
    expect: {silence: DUPLICATE}
  - name: not again
    earlier: [{sample: paid_order, id: x}]
    event: {sample: paid_order, id: y}
    expect: {silence: DUPLICATE}
  - name: again, but for another reason
    earlier: [{sample: paid_order, id: x}]
    event: {sample: paid_order, id: x}
    expect: {silence: {confirm: ALREADY_CONFIRMED}}
"""  # noqa: E501 - a flow mapping
    report = tried(tmp_path, tests)

    assert failures(report) == {
        "wrong reason": [
            "silence as expected, but not for TEST_ORDER: confirm: NOT_PAID (the financial status is pending)"
        ],
        "wrong rule": [
            "the rule confirm was silent, but not for CANCELLED: NOT_PAID",
            "the rule tell was silent, but not for DONE: the rule does not look at this event",
        ],
        "no silence": ["a message was sent as UPDATE, and none is expected"],
        "not again": [
            "silence as expected, but not for DUPLICATE: confirm: ALREADY_CONFIRMED (by webhook:x); tell: DONE"
        ],
        "again, but for another reason": ["the rule confirm was silent, but not for ALREADY_CONFIRMED: DUPLICATE"],
    }
    unwanted = next(result for result in report.failed if result.name == "no silence")
    assert unwanted.failures[0].diff == (" Order #1234 for €55.40",)


def test_what_is_left_behind_is_held_against_the_store(tmp_path: Path) -> None:
    tests = """\
given: {cart: true}
tests:
  - {name: confirmed, event: {sample: paid_order}, expect: {cart: cleared, reference: confirmed, dead_letter: none, opted_out: false}}
  - {name: unresolved, event: {sample: draft_order}, expect: {cart: untouched, reference: unresolved}}
  - {name: saved, given: {platform: refused}, event: {sample: paid_order}, expect: {reference: saved, dead_letter: MESSAGE_SEND_FAILED}}
  - {name: nothing, event: {sample: pending_order}, expect: {cart: untouched, reference: none}}
  - {name: kept, given: {cart: {changed: 0s}}, event: {sample: paid_order}, expect: {cart: kept}}
  - {name: empty, given: {cart: false, window: open, plugins: {http_cart: already_empty}}, event: {sample: paid_order}, expect: {cart: already_empty}}
  - {name: failed, given: {plugins: {http_cart: retry}}, event: {sample: paid_order}, expect: {cart: failed}}
  - name: all wrong
    event: {sample: paid_order}
    expect: {cart: kept, reference: none, dead_letter: NOT_PAID, opted_out: true, calls: {http_cart: 0, http_forward: 2}}
"""  # noqa: E501 - flow mappings
    assert failures(tried(tmp_path, tests)) == {
        "all wrong": [
            "cart: expected kept, got cleared",
            "reference: expected none, got confirmed",
            "dead_letter: expected NOT_PAID, got none",
            "opted_out: expected true, got false",
            "http_cart: expected no call, got 1 call",
            "http_forward: expected 2 calls, got 1 call",
        ]
    }


def test_of_what_cannot_be_seen_the_difference_is_shown(tmp_path: Path) -> None:
    config = """\
shop: {domain: acme.myshopify.com, name: Acme}
verify: [{use: shopify_hmac, secrets: [s]}]
resolvers: [{use: note_attributes, key: psid, trust: any}]
senders: [{use: console}]
rules: [{name: r, on: orders/paid, steps: [resolve_psid, {send_message: m}]}]
messages: {m: {text: "10\\u00a0€ \\u2068#1\\u2069"}}
"""
    tests = """\
tests:
  - {name: blanks, event: {sample: paid_order}, expect: {message: {text: "10 € \\u2068#1\\u2069"}}}
  - {name: marks, event: {sample: paid_order}, expect: {message: {text: "10\\u00a0€ #1"}}}
  - {name: right, event: {sample: paid_order}, expect: {message: {text: "10\\u00a0€ \\u2068#1\\u2069"}}}
"""
    report = tried(tmp_path, tests, config=config)

    assert failures(report) == {
        "blanks": ["the text of the message is another; they differ only in kinds of blanks" + SHOWN],
        "marks": ["the text of the message is another; they differ only in invisible characters" + SHOWN],
    }
    assert report.results[1].failures[0].diff[3:] == ("-10\\u00a0€ #1", "+10\\u00a0€ \\u2068#1\\u2069")


def test_what_comes_of_earlier_events_is_not_looked_at_but_what_they_held_back_is(tmp_path: Path) -> None:
    config_without_template = "messages:\n  confirmed:\n    text: Hello\n"
    tests = """\
given: {window: closed}
tests:
  - name: held
    event: {sample: paid_order}
    expect: {silence: OUTSIDE_WINDOW, dead_letter: OUTSIDE_WINDOW}
  - name: released
    earlier: [{sample: paid_order, before: 2d}]
    event: {says: Hi}
    expect: {message: {text: Hello, delivery: UPDATE}}
  - name: too late
    earlier: [{sample: paid_order, before: 8d}]
    event: {says: Hi}
    expect: {silence: NO_RULE}
"""
    config = f"""\
shop: {{domain: acme.myshopify.com, name: Acme}}
verify: [{{use: shopify_hmac, secrets: [s]}}, {{use: messenger_hmac, app_secret: a, verify_token: v}}]
resolvers: [{{use: note_attributes, key: psid}}]
senders: [{{use: console}}]
rules: [{{name: r, on: orders/paid, steps: [resolve_psid, {{send_message: confirmed}}]}}]
{config_without_template}"""
    assert failures(tried(tmp_path, tests, config=config)) == {}
