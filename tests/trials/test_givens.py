"""What a test can give: the time, the window, what the store knows, what the platform and other services answer."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from support.trials import CONFIG, failures, tried


def test_the_window_is_as_the_test_says_whatever_the_time(tmp_path: Path) -> None:
    tests = """\
tests:
  - {name: open, given: {window: open}, event: {sample: paid_order}, expect: {message: {delivery: UPDATE}}}
  - {name: closed, given: {window: closed}, event: {sample: paid_order}, expect: {message: {delivery: UTILITY}}}
  - {name: unknown, given: {cart: true}, event: {sample: paid_order}, expect: {message: {delivery: UTILITY}}}
  - name: open long after
    given: {window: open}
    earlier: [{sample: pending_order, before: 5d}]
    event: {sample: paid_order}
    expect: {message: {delivery: UPDATE}}
  - name: by what the shopper did
    earlier: [{says: Hi, before: 3d}, {presses: WHERE, before: 5m}]
    event: {sample: paid_order}
    expect: {message: {delivery: UPDATE}}
  - name: by what the shopper did too long ago
    earlier: [{says: Hi, before: 3d}]
    event: {sample: paid_order}
    expect: {message: {delivery: UTILITY}}
"""
    assert failures(tried(tmp_path, tests)) == {}


def test_what_was_held_back_goes_out_when_the_shopper_writes_again(tmp_path: Path) -> None:
    start = CONFIG.index("    utility_template:")
    waiting = CONFIG[:start] + "    utility_template: none\n" + CONFIG[CONFIG.index("  found:") :]
    tests = """\
tests:
  - {name: held, given: {window: closed}, event: {sample: paid_order}, expect: {dead_letter: OUTSIDE_WINDOW}}
  - name: released
    given: {window: closed}
    earlier: [{sample: paid_order, before: 1d}]
    event: {says: Hi there}
    expect: {message: {contains: "#1234", delivery: UPDATE}}
"""
    assert failures(tried(tmp_path, tests, config=waiting)) == {}


def test_the_shop_knows_a_shopper_only_by_what_the_test_gives(tmp_path: Path) -> None:
    tests = """\
tests:
  - {name: nothing, event: {sample: paid_order}, expect: {silence: PSID_NOT_TRUSTED}}
  - {name: a cart, given: {cart: true}, event: {sample: paid_order}, expect: {message: {}}}
  - {name: a conversation, earlier: [{says: Hi}], event: {sample: paid_order}, expect: {message: {}}}
  - {name: a token, given: {checkout: noted}, event: {sample: order_without_psid}, expect: {message: {}}}
  - {name: no token, event: {sample: order_without_psid}, expect: {silence: PSID_NOT_FOUND}}
  - {name: another, given: {cart: true, shopper: "42"}, event: {sample: paid_order}, expect: {message: {to: "42"}}}
  - name: not theirs
    given: {cart: true}
    event: {sample: paid_order, shopper: "42"}
    expect: {silence: PSID_NOT_TRUSTED}
  - {name: opted out, given: {cart: true, opted_out: true}, event: {sample: paid_order}, expect: {silence: OPTED_OUT}}
"""
    assert failures(tried(tmp_path, tests)) == {}


def test_signed_checkout_links_are_signed_by_the_shop(tmp_path: Path) -> None:
    keys = 'checkout_tokens: {keys: [{id: a, secret: "${CHECKOUT_KEY}"}], valid_for: 2d}\n'
    signed = CONFIG.replace("trust: known_shopper", "trust: signed") + keys
    tests = """\
tests:
  - {name: signed, given: {checkout: signed}, event: {sample: paid_order}, expect: {message: {}}}
  - {name: typed, given: {cart: true}, event: {sample: paid_order}, expect: {silence: PSID_NOT_TRUSTED}}
  - name: one order for each link
    given: {checkout: signed}
    earlier: [{sample: paid_order, order: 1}]
    event: {sample: paid_order, order: 2, set: {checkout_token: 0123456789abcdef}}
    expect: {silence: PSID_NOT_TRUSTED}
"""
    assert failures(tried(tmp_path, tests, config=signed)) == {}


def test_the_platform_answers_one_message_after_the_other(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - {name: refused, given: {platform: refused}, event: {sample: paid_order}, expect: {silence: MESSAGE_SEND_FAILED}}
  - {name: retry, given: {platform: retry}, event: {sample: paid_order}, expect: {silence: MESSAGE_SEND_FAILED, dead_letter: none}}
  - {name: retried, given: {platform: [retry, retry, ok]}, event: {sample: paid_order}, wait: 1m, expect: {message: {}}}
  - {name: in vain, given: {platform: retry}, event: {sample: paid_order}, wait: 1h, expect: {dead_letter: MESSAGE_SEND_FAILED}}
  - {name: slow, given: {platform: [rate_limited, ok]}, event: {sample: paid_order}, expect: {silence: CHANNEL_PAUSED}}
  - {name: slowly, given: {platform: [rate_limited, ok]}, event: {sample: paid_order}, wait: 2m, expect: {message: {}}}
  - {name: down, given: {platform: down}, event: {sample: paid_order}, wait: 10m, expect: {silence: CHANNEL_DOWN, dead_letter: none}}
  - {name: up, given: {platform: [down, down, down, ok]}, event: {sample: paid_order}, wait: 10m, expect: {message: {}}}
  - {name: outside, given: {platform: outside_window}, event: {sample: paid_order}, expect: {message: {delivery: UTILITY}}}
  - {name: in doubt, given: {platform: [in_doubt, ok]}, event: {sample: paid_order}, expect: {silence: IN_DOUBT, dead_letter: none}}
  - {name: no echo, given: {platform: [in_doubt, ok]}, event: {sample: paid_order}, wait: 5m, expect: {silence: IN_DOUBT, dead_letter: IN_DOUBT}}
  - name: one after the other
    given: {platform: [ok, refused]}
    earlier: [{sample: paid_order, order: 1}]
    event: {sample: paid_order, order: 2}
    expect: {silence: MESSAGE_SEND_FAILED}
"""  # noqa: E501 - flow mappings
    assert failures(tried(tmp_path, tests)) == {}


def test_services_elsewhere_are_answered_for(tmp_path: Path) -> None:
    tests = """\
given: {window: open, plugins: {http_cart: kept}}
tests:
  - {name: by default, event: {sample: paid_order}, expect: {cart: kept, calls: {http_cart: 1, http_forward: 1}}}
  - {name: for one test, given: {plugins: {http_forward: failed}}, event: {sample: paid_order}, expect: {cart: kept, dead_letter: PLUGIN_FAILED}}
  - name: only the cart is asked again
    given: {plugins: {http_cart: retry}}
    event: {sample: paid_order}
    wait: 1h
    expect: {message: {}, cart: failed, dead_letter: CART_CLEAR_FAILED, calls: {http_cart: 3, http_forward: 1}}
  - {name: resolved, given: {plugins: {token_lookup: "42"}}, event: {sample: draft_order}, expect: {message: {to: "42"}, reference: confirmed}}
  - {name: a resolver out of order, given: {plugins: {note_attributes: retry}}, event: {sample: paid_order}, expect: {silence: PSID_NOT_FOUND, dead_letter: none}}
  - {name: nobody, given: {plugins: {note_attributes: nobody}}, event: {sample: paid_order}, expect: {silence: PSID_NOT_FOUND}}
  - {name: no sender, given: {plugins: {messenger: passes}}, event: {sample: paid_order}, expect: {silence: NO_SENDER}}
"""  # noqa: E501 - flow mappings
    report = tried(tmp_path, tests)

    assert failures(report) == {}
    assert report.stand_ins == (
        *("carts[1]:http_cart", "senders[0]:messenger", "plugins[0]:http_forward"),
        *("resolvers[1]:token_lookup", "resolvers[0]:note_attributes"),
    )


def test_the_limit_and_the_time_are_the_hosts_own(tmp_path: Path) -> None:
    tests = """\
given: {window: closed}
tests:
  - name: the third waits
    earlier: [{sample: paid_order, order: 1, before: 3h}, {sample: paid_order, order: 2, before: 2h}]
    event: {sample: paid_order, order: 3}
    expect: {silence: {confirm: LIMIT_REACHED}}
  - name: until the first is a day old
    earlier: [{sample: paid_order, order: 1, before: 3h}, {sample: paid_order, order: 2, before: 2h}]
    event: {sample: paid_order, order: 3}
    wait: 21h1s
    expect: {message: {contains: "#3"}}
  - name: not before
    earlier: [{sample: paid_order, order: 1, before: 3h}, {sample: paid_order, order: 2, before: 2h}]
    event: {sample: paid_order, order: 3}
    wait: 20h59m
    expect: {silence: {confirm: LIMIT_REACHED}}
"""
    assert failures(tried(tmp_path, tests)) == {}


def test_what_the_store_keeps_grows_old_with_the_tests_own_time(tmp_path: Path) -> None:
    config = CONFIG + "ttl: {order_reference: 10d, webhook_id: 1h, journal: 1h, checkout_token_lookup: 24h}\n"
    tests = """\
given: {window: open}
tests:
  - {name: it is found, earlier: [{sample: paid_order, before: 9d}], event: {says: where}, expect: {message: {contains: "#1234"}}}
  - {name: it is forgotten, earlier: [{sample: paid_order, before: 11d}], event: {says: where}, expect: {message: {contains: no order}}}
  - {name: the same, earlier: [{sample: paid_order, id: x, before: 59m}], event: {sample: paid_order, id: x}, expect: {silence: DUPLICATE}}
  - {name: no more, earlier: [{sample: paid_order, id: x, before: 61m}], event: {sample: paid_order, id: x}, expect: {silence: DONE}}
  - {name: the token, given: {checkout: noted}, earlier: [{says: Hi, before: 25h}], event: {sample: order_without_psid}, expect: {silence: PSID_NOT_FOUND}}
"""  # noqa: E501 - flow mappings
    assert failures(tried(tmp_path, tests, config=config)) == {}


def test_times_are_the_shops_unless_they_say_otherwise(tmp_path: Path) -> None:
    config = CONFIG.replace("{{ order.name }} for {{ order.total | money }}", "{{ order.created_at }}")
    tests = """\
given: {window: open}
tests:
  - {name: default, event: {sample: paid_order}, expect: {message: {contains: "Feb 5, 2026, 10:29:50"}}}
  - {name: local, given: {at: 2026-07-01 12:00}, event: {sample: paid_order}, expect: {message: {contains: "Jul 1, 2026, 11:59:50"}}}
  - {name: offset, given: {at: 2026-07-01T12:00:00Z}, event: {sample: paid_order}, expect: {message: {contains: "Jul 1, 2026, 1:59:50"}}}
"""  # noqa: E501 - flow mappings
    report = tried(tmp_path, tests, config=config)

    assert failures(report) == {}
    moments = [result.journal[0].at for result in report.results]
    assert moments[1] == datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))


def test_the_store_can_have_keys_that_the_shops_own_plugins_read(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "members.py").write_text(
        '''
"""Find members by what the shop keeps of them."""

from shopbot.plugin import Resolution, Trust, hookimpl


class Plugin:
    def __init__(self, config): ...

    @hookimpl
    async def start(self, context):
        self.store = context.store

    @hookimpl
    async def resolve_psid(self, order):
        found = await self.store.get(f"member:{order.customer.id}")
        return Resolution(psid=found.decode(), trust=Trust.ANY) if found else None
''',
        encoding="utf-8",
    )
    config = CONFIG.replace("  - {use: token_lookup}\n", "  - {use: members}\n")
    tests = """\
given: {store: {"member:1": "42"}}
tests:
  - name: a member
    event: {sample: order_without_psid, set: {customer: {id: 1}}}
    expect: {message: {to: "42"}}
  - name: another
    event: {sample: order_without_psid, set: {customer: {id: 2}}}
    expect: {silence: PSID_NOT_FOUND}
  - name: of this test alone
    given: {store: {"member:2": "43"}}
    event: {sample: order_without_psid, set: {customer: {id: 2}}}
    expect: {message: {to: "43"}}
"""
    report = tried(tmp_path, tests, config=config)

    assert failures(report) == {}
    assert "resolvers[1]:members" not in report.stand_ins
