"""What of a shopper's acts opens the messaging window."""

from __future__ import annotations

import pytest

from shopbot.rules.engine import opens_window


@pytest.mark.parametrize("topic", ["messenger/message", "messenger/postback", "messenger/referral"])
def test_messages_taps_and_links_open_the_window(topic: str) -> None:
    assert opens_window(topic, {})


@pytest.mark.parametrize("topic", ["messenger/optin", "messenger/echo", "messenger/read", "orders/paid"])
def test_nothing_else_does(topic: str) -> None:
    assert not opens_window(topic, {"reaction": {"action": "react"}})


@pytest.mark.parametrize(
    ("payload", "opens"),
    [
        ({"reaction": {"action": "react"}}, True),
        ({"reaction": {"action": "unreact"}}, False),
        ({"reaction": {}}, True),
        ({"reaction": "love"}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_reaction_does_unless_it_is_taken_back(payload: object, opens: bool) -> None:  # noqa: FBT001 - a case
    assert opens_window("messenger/reaction", payload) is opens
