"""Secrets that can be used: never empty, never with the white space that a copied line brings along."""

import re
from typing import Annotated

from pydantic import AfterValidator

from shopbot.plugin import SecretStr

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def _usable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.strip():
        raise ValueError("must not be empty: anybody could make a signature with an empty secret")
    if text != text.strip():
        raise ValueError("begins or ends with white space")
    return secret


def _header_safe(token: SecretStr) -> SecretStr:
    if _VISIBLE_ASCII.fullmatch(token.get_secret_value()) is None:
        raise ValueError("must be made of ASCII letters, digits and signs, without spaces, and not be empty")
    return token


Secret = Annotated[SecretStr, AfterValidator(_usable)]
"""A key for signatures."""

Token = Annotated[SecretStr, AfterValidator(_header_safe)]
"""A token that travels in an HTTP header; a character that a header cannot carry would end up in an error text."""
