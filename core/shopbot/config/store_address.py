"""Where the state lives: `embedded`, or the URL of a server, whose password is never shown."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, GetJsonSchemaHandler, Secret
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import RedisError

from shopbot.config.expected import expected
from shopbot.config.section import one_of, text_schema

EMBEDDED = "embedded"
SCHEMES = ("redis", "rediss", "unix")

_PATTERN = r"^(embedded|rediss?://.+|unix://.+|.*\$\{.+)$"
_WHAT = "'embedded' or a URL such as redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket"
_OPTIONS = "behind the '?' of the URL only options that redis-py has for it, with values that they can have"
_OURS = frozenset({"decode_responses", "encoding", "encoding_errors"})
"""What is read of the store is bytes, and what is written UTF-8."""
_CREDENTIALS = re.compile(r"//.*@")  # greedy: a password may hold a slash


def _address(value: str) -> str:
    if value == EMBEDDED:
        return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in SCHEMES and parts.port != 0
    except ValueError:  # a port that is no number, a bracket of an IPv6 address left open
        usable = False
        parts = urlsplit("")
    unix = parts.scheme == "unix"
    place = parts.path if unix else parts.hostname
    if not usable or not place or any(character.isspace() for character in value):
        raise expected(_WHAT)
    database = "" if unix else parts.path.strip("/")
    # Of what is no number redis-py makes database 0.
    if database and not (database.isascii() and database.isdecimal()):
        raise expected("a number for the database behind the host's '/'", got=False)
    try:
        pool = ConnectionPool.from_url(value)
        pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped; it connects to nothing yet
    except (ValueError, TypeError, RedisError):
        raise expected(_OPTIONS, got=False) from None  # whose own words may quote a password
    if not _OURS.isdisjoint(pool.connection_kwargs):
        raise expected(
            f"behind the '?' of the URL no {one_of(sorted(_OURS))}, which are not for you to choose", got=False
        )
    return value


class StoreAddress(Secret[Annotated[str, AfterValidator(_address)]]):
    """`embedded` or a URL. `get_secret_value()` gives it whole; whatever prints it masks a password."""

    @property
    def embedded(self) -> bool:
        """Whether the host starts its own server."""
        return self.get_secret_value() == EMBEDDED

    def _display(self) -> str:
        """Give what may be shown: no user, no password, no query."""
        address, _, query = self.get_secret_value().partition("?")
        shown = _CREDENTIALS.sub("//***@", address)
        return shown + "?***" if query else shown

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return text_schema(_PATTERN, _WHAT, [EMBEDDED, "redis://localhost:6379/0", "${REDIS_URL}"])
