from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from shopbot.messages.mode import Window, WindowPolicy, mode, window_at
from shopbot.model.message import Delivery

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours_ago", "window"),
    [
        (0, Window.OPEN),
        (23.8, Window.OPEN),
        (23 + 49.9 / 60, Window.OPEN),
        (23 + 50 / 60, Window.CLOSED),
        (24, Window.CLOSED),
        (500, Window.CLOSED),
    ],
)
def test_the_window_closes_a_little_before_metas(hours_ago: float, window: Window) -> None:
    assert window_at(NOW, NOW - timedelta(hours=hours_ago), WindowPolicy(), knowable=True) is window


def test_the_windows_have_the_names_that_the_command_line_takes() -> None:
    assert list(Window) == ["open", "closed", "unknown", "unknowable"]


def test_length_and_margin_are_as_set() -> None:
    policy = WindowPolicy(length=timedelta(hours=2), margin=timedelta(minutes=30))

    assert window_at(NOW, NOW - timedelta(minutes=89), policy, knowable=True) is Window.OPEN
    assert window_at(NOW, NOW - timedelta(minutes=90), policy, knowable=True) is Window.CLOSED


def test_a_shopper_who_was_never_seen_has_an_unknown_window() -> None:
    assert window_at(NOW, None, WindowPolicy(), knowable=True) is Window.UNKNOWN
    assert window_at(NOW, None, WindowPolicy(), knowable=False) is Window.UNKNOWABLE


@pytest.mark.parametrize(("answer", "template", "window"), [*product((True, False), (True, False), Window)])
def test_every_case_has_a_rule_and_a_reason(*, answer: bool, template: bool, window: Window) -> None:
    chosen = mode(answer=answer, window=window, template=template)

    assert chosen.why
    assert chosen.delivery is not Delivery.UTILITY or template


@pytest.mark.parametrize(
    ("answer", "template", "window"), [*product((True, False), (True, False), (Window.CLOSED, Window.UNKNOWN))]
)
def test_outside_the_window_only_a_template_goes_out(*, answer: bool, template: bool, window: Window) -> None:
    chosen = mode(answer=answer, window=window, template=template)

    assert chosen.delivery is (Delivery.UTILITY if template else None)


@pytest.mark.parametrize("window", list(Window))
def test_news_is_never_sent_as_an_answer(window: Window) -> None:
    for template in (True, False):
        assert mode(answer=False, window=window, template=template).delivery is not Delivery.RESPONSE


def test_inside_the_window_free_text_is_preferred() -> None:
    assert mode(answer=False, window=Window.OPEN, template=True).delivery is Delivery.UPDATE
    assert mode(answer=True, window=Window.OPEN, template=True).delivery is Delivery.RESPONSE


def test_a_shop_that_cannot_know_the_window_asks_the_platform() -> None:
    """Without the Messenger webhook it could confirm nothing otherwise."""
    assert mode(answer=False, window=Window.UNKNOWABLE, template=True).delivery is Delivery.UTILITY
    assert mode(answer=False, window=Window.UNKNOWABLE, template=False).delivery is Delivery.UPDATE
