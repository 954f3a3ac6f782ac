"""Which access tokens the simulated Graph API takes.

Source: https://developers.facebook.com/docs/graph-api/guides/secure-requests
"""

from __future__ import annotations

import hashlib
import hmac

from shopbot.testing.graph_errors import (
    BAD_PROOF,
    BAD_TOKEN,
    MISSING_PROOF,
    NO_TOKEN,
    GraphRefusal,
    revoked_token,
)


class Tokens:
    """The tokens of one Page, and the app secret that proves who uses them.

    require_proof: refuse calls without `appsecret_proof`, as an app with "Require App Secret" on does.
    """

    def __init__(self, token: str, app_secret: str, *, require_proof: bool) -> None:
        self.require_proof = require_proof
        self._app_secret = app_secret.encode()
        self._valid = {token}
        self._revoked: dict[str, int] = {}

    def check(self, token: str | None, proof: str | None) -> None:
        """Raise GraphRefusal unless *token* is valid, and *proof* too where there is one or has to be."""
        if token is None:
            raise GraphRefusal(NO_TOKEN)
        if token in self._revoked:
            raise GraphRefusal(revoked_token(self._revoked[token]))
        if token not in self._valid:
            raise GraphRefusal(BAD_TOKEN)
        if proof is None and self.require_proof:
            raise GraphRefusal(MISSING_PROOF)
        if proof is not None and not hmac.compare_digest(proof.encode(), self._proof_for(token)):
            raise GraphRefusal(BAD_PROOF)

    def revoke(self, subcode: int = 460) -> None:
        """Refuse all tokens accepted so far with 190/*subcode*: 460 password changed, 463 expired."""
        self._revoked.update(dict.fromkeys(self._valid, subcode))
        self._valid.clear()

    def accept(self, token: str) -> None:
        """Accept *token* from now on, beside those that are accepted already; a revoked one comes back."""
        self._revoked.pop(token, None)
        self._valid.add(token)

    def _proof_for(self, token: str) -> bytes:
        return hmac.digest(self._app_secret, token.encode(), hashlib.sha256).hex().encode()
