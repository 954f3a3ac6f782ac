"""Signed tokens that stand for a PSID in a cart attribute: who may be messaged about the order, on the shop's own word.

A token is short ASCII, `sb1.<key id>.<content and MAC>`, safe in a URL and never a PSID's form. It says which Page's
shopper it is for and until when, and carries a random nonce by which the shop knows the checkout that it was made for.
It is signed, not encrypted: whoever holds it can read the PSID, and nobody without the key can make another.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shopbot.model.psid import is_psid

LONGEST_TOKEN = 160
"""Characters: no token is longer, whatever the ids in it."""

_VERSION = "sb1"
_PURPOSE = b"shopbot signed PSID, version 1\0"
"""Part of what is signed, so that a secret used elsewhere too gives no signatures for here."""

_FORM = re.compile(r"(sb[0-9]{1,3})\.([a-z0-9_-]{1,16})\.([A-Za-z0-9_-]+)")
_LOOKS_LIKE = re.compile(r"sb[0-9]{1,3}\.")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NONCE_BYTES = 12
_EXPIRY_BYTES = 5
_MAC_BYTES = 16
"""Half of SHA-256's output, the least that RFC 2104 advises: https://www.rfc-editor.org/rfc/rfc2104#section-5"""


class InvalidTokenError(ValueError):
    """The text is no token of ours; the message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A signing key: its id stands in every token that it signs."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PsidToken:
    """What a genuine token says."""

    page_id: str
    """The Page whose shopper it is; empty for a shop without a Page."""
    psid: str = field(repr=False)
    expires_at: datetime
    """In UTC, to the second."""
    nonce: str
    """24 hexadecimal digits, different for every token."""


class PsidTokens:
    """Makes and reads the tokens of one shop."""

    def __init__(self, keys: Sequence[TokenKey]) -> None:
        """Sign with the first of these keys and know the signatures of all."""
        self._first = keys[0] if keys else None
        self._keys = {key.id: key for key in keys}

    @property
    def can_sign(self) -> bool:
        """Whether there is a key."""
        return self._first is not None

    def issue(self, page_id: str, psid: str, expires_at: datetime) -> tuple[str, str]:
        """Make a token; gives it and its nonce.

        page_id: digits, or empty.
        expires_at: aware; rounded up to the second.

        Raises:
            ValueError: there is no key, or one of the ids is none.
        """
        if self._first is None:
            raise ValueError("there is no key to sign with")
        if not is_psid(psid) or not (page_id == "" or is_psid(page_id)):
            raise ValueError("a PSID and a Page's id are 1 to 32 digits")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        expiry = -((_EPOCH - expires_at) // timedelta(seconds=1))
        content = _pack(page_id) + _pack(psid) + expiry.to_bytes(_EXPIRY_BYTES, "big") + nonce
        head = f"{_VERSION}.{self._first.id}."
        return head + _encode(content + _mac(self._first, head, content)), nonce.hex()

    def read(self, text: str) -> PsidToken:
        """Read a token that one of the keys has signed. Whether it has expired is the caller's question.

        Raises:
            InvalidTokenError: it is not genuine.
        """
        form = _FORM.fullmatch(text) if len(text) <= LONGEST_TOKEN else None
        if form is None:
            raise InvalidTokenError("it does not have a token's form, as when something was cut off or changed")
        version, key_id, encoded = form.groups()
        if version != _VERSION:
            raise InvalidTokenError("it is of another version than this shopbot knows")
        key = self._keys.get(key_id)
        if key is None:
            raise InvalidTokenError("it names a key that `checkout_tokens.keys` does not have (any more)")
        signed = _decode(encoded)
        content, mac = signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(key, f"{version}.{key_id}.", content)):
            raise InvalidTokenError("its signature is wrong: it is forged or was changed")
        return _unpacked(content)


def looks_like_token(text: str) -> bool:
    """Say whether a text claims to be a token, of whatever version."""
    return _LOOKS_LIKE.match(text) is not None


def _mac(key: TokenKey, head: str, content: bytes) -> bytes:
    return hmac.digest(key.secret, _PURPOSE + head.encode() + content, "sha256")[:_MAC_BYTES]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        content = b""
    # The last character may hold bits that nobody reads: one content has one spelling.
    if len(content) <= _MAC_BYTES or _encode(content) != text:
        raise InvalidTokenError("it does not have a token's form, as when something was cut off or changed")
    return content


def _pack(digits: str) -> bytes:
    """Write up to 32 digits, leading zeros included, in half the space: how many, then their number."""
    return bytes([len(digits)]) + int(digits or "0").to_bytes(_width(len(digits)), "big")


def _unpacked(content: bytes) -> PsidToken:
    """Take apart what was signed: `issue` wrote it, so its form is right."""
    page_id, rest = _unpack(content)
    psid, rest = _unpack(rest)
    expiry, nonce = rest[:_EXPIRY_BYTES], rest[_EXPIRY_BYTES:]
    return PsidToken(
        page_id=page_id,
        psid=psid,
        expires_at=datetime.fromtimestamp(int.from_bytes(expiry, "big"), UTC),
        nonce=nonce.hex(),
    )


def _unpack(content: bytes) -> tuple[str, bytes]:
    count = content[0]
    end = 1 + _width(count)
    number = int.from_bytes(content[1:end], "big")
    return f"{number:0{count}d}" if count else "", content[end:]


def _width(count: int) -> int:
    return (int("9" * count or "0").bit_length() + 7) // 8
