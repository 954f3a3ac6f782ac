"""Bearer keys of the checkout and cart API: several at once, one for each client, or an old and a new one."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

_SCHEME = "bearer "


class ApiKeys:
    """The keys of one shop."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Digests have one length, so that a comparison tells nothing about a key's.
        self._digests = [sha256(key.encode()).digest() for key in keys]

    def accept(self, authorization: str) -> bool:
        """Say whether an `Authorization` header carries one of the keys.

        The time that it takes depends on the number of keys alone. https://www.rfc-editor.org/rfc/rfc6750#section-2.1
        """
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        # Sanic hands on bytes that are no UTF-8 as half surrogate pairs.
        given = sha256(authorization[len(_SCHEME) :].strip().encode(errors="surrogatepass")).digest()
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(given, digest)
        return found
