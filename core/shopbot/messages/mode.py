"""How a message may be sent, by the state of the standard messaging window at the moment of sending.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from shopbot.model.message import Delivery

WINDOW = timedelta(hours=24)
MARGIN = timedelta(minutes=10)
"""The window counts as closed this long before Meta closes it: a message takes time to get there."""


class Window(StrEnum):
    """The standard messaging window of one shopper."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """The shop has not seen the shopper write: the Messenger webhook may not be connected."""


def window_at(now: datetime, last_active: datetime | None) -> Window:
    """Say how the window stands; None is a shopper who was never seen."""
    if last_active is None:
        return Window.UNKNOWN
    return Window.OPEN if now - last_active < WINDOW - MARGIN else Window.CLOSED


# (is an answer, window, has an approved utility template) → how to send; None: not at all.
_MODES: Mapping[tuple[bool, Window, bool], Delivery | None] = {
    (True, Window.OPEN, True): Delivery.RESPONSE,
    (True, Window.OPEN, False): Delivery.RESPONSE,
    (True, Window.UNKNOWN, True): Delivery.RESPONSE,
    (True, Window.UNKNOWN, False): Delivery.RESPONSE,
    (True, Window.CLOSED, True): Delivery.UTILITY,
    (True, Window.CLOSED, False): None,
    (False, Window.OPEN, True): Delivery.UPDATE,
    (False, Window.OPEN, False): Delivery.UPDATE,
    (False, Window.UNKNOWN, True): Delivery.UTILITY,
    # The platform knows the window and refuses what falls outside: asking harms nobody.
    (False, Window.UNKNOWN, False): Delivery.UPDATE,
    (False, Window.CLOSED, True): Delivery.UTILITY,
    (False, Window.CLOSED, False): None,
}


def mode(*, answer: bool, window: Window, template: bool) -> Delivery | None:
    """Pick the delivery; None when the platform's rules leave none. A message tag is never among them."""
    return _MODES[answer, window, template]
