from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from shopbot.messages.mode import Window, mode, window_at
from shopbot.model.message import Delivery

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours_ago", "window"),
    [(0, Window.OPEN), (23.8, Window.OPEN), (23.9, Window.CLOSED), (24, Window.CLOSED), (500, Window.CLOSED)],
)
def test_the_window_closes_a_little_before_metas(hours_ago: float, window: Window) -> None:
    assert window_at(NOW, NOW - timedelta(hours=hours_ago)) is window


def test_a_shopper_who_was_never_seen_has_an_unknown_window() -> None:
    assert window_at(NOW, None) is Window.UNKNOWN


@pytest.mark.parametrize(("answer", "template"), [*product((True, False), repeat=2)])
def test_outside_the_window_only_a_template_goes_out(*, answer: bool, template: bool) -> None:
    delivery = mode(answer=answer, window=Window.CLOSED, template=template)

    assert delivery is (Delivery.UTILITY if template else None)


@pytest.mark.parametrize("window", list(Window))
def test_news_is_never_sent_as_an_answer(window: Window) -> None:
    for template in (True, False):
        assert mode(answer=False, window=window, template=template) is not Delivery.RESPONSE


def test_inside_the_window_free_text_is_preferred() -> None:
    assert mode(answer=False, window=Window.OPEN, template=True) is Delivery.UPDATE
    assert mode(answer=True, window=Window.OPEN, template=True) is Delivery.RESPONSE


def test_an_unknown_window_is_taken_for_closed_where_a_template_can_serve() -> None:
    assert mode(answer=False, window=Window.UNKNOWN, template=True) is Delivery.UTILITY
    assert mode(answer=False, window=Window.UNKNOWN, template=False) is Delivery.UPDATE
