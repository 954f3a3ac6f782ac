"""`checkout_tokens:` and `cart_limits:` in shopbot.yaml: how checkout links are signed, and what a cart may hold."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from shopbot.config.duration import PositiveDuration
from shopbot.config.expected import expected
from shopbot.config.section import NOT_BOOLEAN, Section, Text, text_schema

_SHORTEST_SECRET = 32
_KEY_ID_PATTERN = r"^[a-z0-9_-]{1,16}$"
_KEY_ID_WORDS = "1 to 16 lower-case letters, digits, '_' and '-'"


def _key_id(value: str) -> str:
    if not re.fullmatch(_KEY_ID_PATTERN, value):
        raise expected(_KEY_ID_WORDS)
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) < _SHORTEST_SECRET or text != text.strip():
        raise expected(f"a secret of at least {_SHORTEST_SECRET} characters, without white space around it", text=False)
    return value


class TokenKeySettings(Section):
    """One key that signs checkout links."""

    id: Annotated[str, AfterValidator(_key_id), WithJsonSchema(text_schema(_KEY_ID_PATTERN, _KEY_ID_WORDS))] = Field(
        description="The key's name, which stands in every token that it signs. Never use one for a second key."
    )
    secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        description=f"What signs: at least {_SHORTEST_SECRET} random characters, as from `openssl rand -hex 32`.",
        examples=["${CHECKOUT_TOKEN_SECRET}"],
    )


def _ids_differ(keys: tuple[TokenKeySettings, ...]) -> tuple[TokenKeySettings, ...]:
    if len({key.id for key in keys}) < len(keys):
        raise expected("keys with different ids", text=False, got=False)
    return keys


class CheckoutTokenSettings(Section):
    """The signed tokens that checkout links put into the order, so that nobody can name another shopper."""

    keys: Annotated[tuple[TokenKeySettings, ...], AfterValidator(_ids_differ)] = Field(
        (),
        description="The first key signs, all of them are known. To rotate: put a new key first, and take the old one "
        "away when its last tokens have expired.",
    )
    valid_for: PositiveDuration = Field(
        timedelta(days=30), description="How long after the link was made an order may carry its token."
    )
    attribute: Text = Field(
        "psid", description="The cart attribute that carries the token: what the resolvers have as `key`."
    )


class CartLimitSettings(Section):
    """What a cart, and a checkout link, may hold at most."""

    lines: Annotated[int, Field(ge=1, le=250), NOT_BOOLEAN] = Field(
        100, description="Different articles. Shopify takes 250 at once."
    )
    quantity: Annotated[int, Field(ge=1, le=1_000_000), NOT_BOOLEAN] = Field(100, description="Pieces of one article.")
