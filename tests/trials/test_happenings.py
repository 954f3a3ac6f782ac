"""What can happen in a test: samples, files, bodies, polled orders, and what shoppers do."""

from __future__ import annotations

from pathlib import Path

from shopbot.testing.orders import order_bytes, paid_order
from support.trials import CONFIG, PSID, failures, tried

POLLING = CONFIG + 'pollers: [{use: shopify_orders, access_token: "${SHOPIFY_ADMIN_TOKEN}"}]\n'


def test_a_sample_can_differ_in_anything(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - {name: status, event: {sample: paid_order, set: {financial_status: pending}}, expect: {silence: NOT_PAID}}
  - {name: lines, event: {sample: paid_order, set: {line_items: [{title: Bowl, price: 10, quantity: 2}, {title: Cup, price: 1.5}]}}, expect: {message: {text: "Order #1234 for €26.40"}}}
  - {name: currency, event: {sample: paid_order, set: {currency: USD, customer_locale: de}}, expect: {message: {text: "Order #1234 for $55.40"}}}
  - {name: number, event: {sample: paid_order, set: {order_number: 7}}, expect: {message: {contains: "Order #7 "}}}
  - {name: name, event: {sample: paid_order, set: {name: "SHOP-1"}}, expect: {message: {contains: SHOP-1}}}
  - {name: an attribute more, event: {sample: paid_order, set: {note_attributes: {gift: "yes"}}}, expect: {message: {}}}
  - {name: no attribute, event: {sample: paid_order, set: {note_attributes: {psid: null}}}, expect: {silence: PSID_NOT_FOUND}}
  - {name: other attributes, event: {sample: paid_order, set: {note_attributes: [{name: gift, value: "1"}]}}, expect: {silence: PSID_NOT_FOUND}}
  - {name: nested, event: {sample: paid_order, set: {current_total_price_set: {presentment_money: {amount: "1.00"}}}}, expect: {message: {contains: €1.00}}}
  - {name: topic, event: {sample: paid_order, topic: orders/create}, expect: {message: {}, calls: {http_forward: 0}}}
  - {name: twice, earlier: [{sample: paid_order}], event: {sample: paid_order, order: 1235}, expect: {message: {contains: "#1235"}}}
"""  # noqa: E501 - flow mappings
    assert failures(tried(tmp_path, tests)) == {}


def test_a_file_is_delivered_as_it_is_or_with_changes(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    (orders / "real.json").write_bytes(order_bytes(paid_order(psid=PSID, number=4711)))
    (orders / "list.json").write_text("[1]", encoding="utf-8")
    tests = """\
given: {window: open}
tests:
  - {name: whole, event: {file: orders/real.json, topic: orders/paid}, expect: {message: {text: "Order #4711 for €55.40"}, reference: confirmed}}
  - name: changed
    event: {file: orders/real.json, topic: orders/paid, set: {financial_status: voided, note_attributes: {gift: "1"}}}
    expect: {silence: {confirm: NOT_PAID}}
  - name: in place
    event:
      topic: orders/paid
      body: {id: 1, name: "#1", financial_status: paid, created_at: 2026-02-05T10:00:00Z, note_attributes: [{name: psid, value: "7312345678901234"}]}
    expect: {message: {contains: "Order #1"}}
  - {name: unreadable, event: {topic: orders/paid, body: {id: none}}, expect: {silence: WEBHOOK_PROCESSING_ERROR, dead_letter: WEBHOOK_PROCESSING_ERROR}}
"""  # noqa: E501 - flow mappings
    assert failures(tried(tmp_path, tests)) == {}


def test_a_poller_finds_what_no_webhook_told(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - {name: found, event: {sample: paid_order, polled: true}, expect: {message: {}}}
  - {name: found again, earlier: [{sample: paid_order}], event: {sample: paid_order, polled: true}, expect: {silence: ALREADY_CONFIRMED}}
  - name: the same state twice
    earlier: [{sample: paid_order, polled: true, set: {updated_at: 2026-02-05T10:00:00+01:00}}]
    event: {sample: paid_order, polled: true, set: {updated_at: 2026-02-05T10:00:00+01:00}}
    expect: {silence: DUPLICATE}
"""  # noqa: E501 - flow mappings
    report = tried(tmp_path, tests, config=POLLING)

    assert failures(report) == {}
    assert report.absent == ("pollers[0]:shopify_orders",)


def test_shoppers_write_tap_press_and_come_by_links(tmp_path: Path) -> None:
    config = CONFIG.replace("on: messenger/message\n", "on: [messenger/message, messenger/postback]\n")
    tests = """\
given: {window: unknown}
tests:
  - {name: writes, earlier: [{says: Hi}, {sample: paid_order}], event: {says: where}, expect: {message: {text: Order #1234 is preparing}}}
  - {name: taps, event: {taps: WHERE}, expect: {message: {delivery: RESPONSE}}}
  - {name: taps a button with a title, event: {taps: OTHER, title: where}, expect: {message: {}}}
  - {name: presses, event: {presses: WHERE}, expect: {message: {}}}
  - {name: follows, earlier: [{follows: ad}], event: {sample: paid_order}, expect: {message: {delivery: UPDATE}}}
  - {name: another, earlier: [{says: Hi}, {sample: paid_order}], event: {says: where, shopper: "42"}, expect: {message: {to: "42", contains: no order}}}
  - {name: says the same again, earlier: [{says: where, id: m_1}], event: {says: where, id: m_1}, expect: {silence: DUPLICATE}}
"""  # noqa: E501 - flow mappings
    tests = tests.replace("text: Order #1234 is preparing", 'text: "Order #1234 is preparing"')

    assert failures(tried(tmp_path, tests, config=config)) == {}


def test_an_order_is_as_old_as_the_first_that_is_told_of_it(tmp_path: Path) -> None:
    config = CONFIG.replace("{{ order.name }} for {{ order.total | money }}", "{{ order.created_at | date('day') }}")
    tests = """\
given: {window: open}
tests:
  - name: the same order
    earlier: [{sample: pending_order, before: 3d}]
    event: {sample: paid_order}
    expect: {message: {contains: Feb 2}}
  - name: another
    earlier: [{sample: pending_order, order: 1, before: 3d}]
    event: {sample: paid_order}
    expect: {message: {contains: Feb 5}}
"""
    assert failures(tried(tmp_path, tests, config=config)) == {}


def test_nothing_happens_that_the_shop_would_refuse_or_never_hear_of(tmp_path: Path) -> None:
    deaf = "\n".join(line for line in CONFIG.splitlines() if "_hmac" not in line).replace("verify:\n", "")
    tests = """\
given: {window: open}
tests:
  - {name: webhook, event: {sample: paid_order}, expect: {silence: NOT_PAID}}
  - {name: act, event: {says: Hi}, expect: {silence: NO_RULE}}
  - {name: poll, event: {sample: paid_order, polled: true}, expect: {silence: NOT_PAID}}
"""
    report = tried(tmp_path, tests, config=deaf)

    assert [problem.message for problem in report.errors] == [
        (
            "no entry of `verify:` takes Messenger's webhooks, so the shop can know of no messaging window; what"
            " Messenger itself says is `platform:`"
        ),
        "no entry of `verify:` takes Shopify's webhooks, so the host would refuse this one",
        "no entry of `verify:` takes Messenger's webhooks, so the shop never hears of what shoppers do",
        "the shop has no `pollers:`, so no poller finds an order",
    ]


def test_the_body_of_a_sample_is_written_as_shopify_writes_it(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "raw.py").write_text(
        '''
"""Journal what comes."""

from shopbot.plugin import Outcome, hookimpl


class Plugin:
    def __init__(self, config): ...

    @hookimpl
    async def run_step(self, event, run):
        return Outcome.done(event.body.decode())
''',
        encoding="utf-8",
    )
    config = CONFIG.replace("  - {use: audit_log}", "  - {use: raw}").replace("steps: [http_forward]", "steps: [raw]")
    tests = "tests: [{name: a, event: {sample: paid_order, set: {note: a/b}}, expect: {silence: PSID_NOT_TRUSTED}}]\n"
    [result] = tried(tmp_path, tests, config=config).results

    [line] = [entry.detail for entry in result.journal if entry.step == "1:raw"]
    assert line.startswith('{"id":830517264905318211,"admin_graphql_api_id":"gid:\\/\\/shopify\\/Order\\/')
