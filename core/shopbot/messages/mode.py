"""How a message may be sent, by the state of the standard messaging window at the moment of sending.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shopbot.model.message import Delivery


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """The `window:` section of shopbot.yaml, as far as it decides about sends."""

    length: timedelta = timedelta(hours=24)
    margin: timedelta = timedelta(minutes=10)
    """The window counts as closed this long before Meta closes it: a message takes time to get there."""


class Window(StrEnum):
    """The standard messaging window of one shopper."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """The shop has not seen the shopper write."""
    UNKNOWABLE = "unknowable"
    """Nor can it: the Messenger webhook is not connected."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What may be done with a message."""

    delivery: Delivery | None
    """How to send it; None: not at all."""
    why: str
    """The reason, for the journal."""


def window_at(now: datetime, last_active: datetime | None, policy: WindowPolicy, *, knowable: bool) -> Window:
    """Say how the window stands.

    last_active: None for a shopper who was never seen.
    knowable: whether the shop would have seen them.
    """
    if last_active is None:
        return Window.UNKNOWN if knowable else Window.UNKNOWABLE
    return Window.OPEN if now - last_active < policy.length - policy.margin else Window.CLOSED


_CLOSED = "the standard messaging window is closed"
_UNKNOWN = "no activity of the shopper is known"
_UNKNOWABLE = "no Messenger webhook is configured that would tell of the shopper's activity"

# (is an answer, window, has an approved utility template) → how to send; None: not at all.
_MODES: Mapping[tuple[bool, Window, bool], tuple[Delivery | None, str]] = {
    (True, Window.OPEN, True): (Delivery.RESPONSE, "an answer inside the window"),
    (True, Window.OPEN, False): (Delivery.RESPONSE, "an answer inside the window"),
    (False, Window.OPEN, True): (Delivery.UPDATE, "inside the window"),
    (False, Window.OPEN, False): (Delivery.UPDATE, "inside the window"),
    (True, Window.CLOSED, True): (Delivery.UTILITY, _CLOSED),
    (True, Window.CLOSED, False): (None, _CLOSED),
    (False, Window.CLOSED, True): (Delivery.UTILITY, _CLOSED),
    (False, Window.CLOSED, False): (None, _CLOSED),
    (True, Window.UNKNOWN, True): (Delivery.UTILITY, _UNKNOWN),
    (True, Window.UNKNOWN, False): (None, _UNKNOWN),
    (False, Window.UNKNOWN, True): (Delivery.UTILITY, _UNKNOWN),
    (False, Window.UNKNOWN, False): (None, _UNKNOWN),
    # An answer is to an event that somebody brought all the same: what it answers has opened the window.
    (True, Window.UNKNOWABLE, True): (Delivery.RESPONSE, _UNKNOWABLE),
    (True, Window.UNKNOWABLE, False): (Delivery.RESPONSE, _UNKNOWABLE),
    (False, Window.UNKNOWABLE, True): (Delivery.UTILITY, _UNKNOWABLE),
    # The platform knows the window and refuses what falls outside; without asking, such a shop could confirm nothing.
    (False, Window.UNKNOWABLE, False): (Delivery.UPDATE, _UNKNOWABLE),
}


def mode(*, answer: bool, window: Window, template: bool) -> Mode:
    """Pick the delivery by the platform's rules. A message tag is never among them.

    answer: whether the message answers what the shopper has just done.
    template: whether the merchant has an approved utility template for it.
    """
    return Mode(*_MODES[answer, window, template])
