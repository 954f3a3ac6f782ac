"""PSIDs: page-scoped ids of Messenger users. Personal data: never whole in a log."""

import re
from enum import StrEnum

from pydantic import Field

from shopbot.model.base import Value

_PSID = re.compile(r"[0-9]{1,32}")
_LONG_NUMBER = re.compile(r"(?<![0-9A-Za-z_-])[0-9]{15,32}(?![0-9A-Za-z_-])")
_SHOWN_DIGITS = 4


def is_psid(text: str) -> bool:
    """Say whether *text* has a PSID's form: ASCII digits, 32 at most.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
    """
    return _PSID.fullmatch(text) is not None


def mask(psid: str) -> str:
    """Give the form that logs and tables may show: the last four characters at most, never the half."""
    shown = min(_SHOWN_DIGITS, len(psid) // 2)
    return "…" + psid[len(psid) - shown :]


def mask_digits(text: str) -> str:
    """Mask what could be a PSID in a text for people."""
    return _LONG_NUMBER.sub(lambda match: mask(match[0]), text)


class Trust(StrEnum):
    """How much must vouch for a PSID before the host uses it."""

    SIGNED = "signed"
    """Only a token that the shop itself signed, as checkout links carry it."""
    KNOWN_SHOPPER = "known_shopper"
    """Also a plain PSID for which the shop holds a cart, a checkout token or a conversation."""
    ANY = "any"
    """Every well-formed PSID."""


class Resolution(Value):
    """A resolver's answer."""

    psid: str
    """A PSID, or the signed token that stands for one."""
    trust: Trust
    """What the host must check first. Give `Trust.ANY` only for what the shop's own records say."""
    token: str | None = Field(default=None, repr=False)
    """The checkout or cart token by which the plugin found the PSID; None where it was another way. A token of a link
    that shopbot made serves one order, and the host sees to it."""
