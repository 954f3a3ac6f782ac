"""Which access tokens the simulated Graph API takes.

Source: https://developers.facebook.com/docs/graph-api/guides/secure-requests
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from shopbot.testing.graph_errors import (
    BAD_PROOF,
    BAD_TOKEN,
    MISSING_PROOF,
    NO_TOKEN,
    NOT_A_DEVELOPER,
    GraphRefusal,
    missing_permission,
    revoked_token,
)


class Tokens:
    """The tokens of one Page, and the app secret that proves who uses them.

    require_proof: refuse calls without `appsecret_proof`, as an app with "Require App Secret" on does.
    """

    def __init__(self, token: str, app_secret: str, *, require_proof: bool) -> None:
        self.require_proof = require_proof
        self._app_secret = app_secret.encode()
        self.permissions = {"pages_messaging", "pages_utility_messaging", "pages_manage_metadata", "pages_show_list"}
        """What the tokens may do; https://developers.facebook.com/docs/permissions."""
        self.permission_pages: dict[str, list[str]] = {}
        """The Pages that a permission was given for, where it was not for this one."""
        self.kind = "PAGE"
        """As `debug_token` calls it."""
        self.expires_at = 0
        """When they end, in seconds since 1970 UTC; 0: never."""
        self.tells = True
        """Whether a token may look at itself with `debug_token`."""
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

    def require(self, permission: str) -> None:
        """Raise GraphRefusal where the tokens lack a permission."""
        if permission not in self.permissions:
            raise GraphRefusal(missing_permission(permission))

    def check_app(self, token: str | None, app_id: int) -> None:
        """Raise GraphRefusal unless *token* is the app's own: its id and its secret, with `|` between them.

        https://developers.facebook.com/docs/facebook-login/guides/access-tokens#apptokens
        """
        if token is None:
            raise GraphRefusal(NO_TOKEN)
        if not hmac.compare_digest(token.encode(), f"{app_id}|".encode() + self._app_secret):
            raise GraphRefusal(BAD_TOKEN)

    def debugged(self, token: str, app_id: int, page_id: str) -> dict[str, Any]:
        """Give what `debug_token` tells of *token*.

        https://developers.facebook.com/docs/graph-api/reference/debug_token
        """
        if not self.tells:
            raise GraphRefusal(NOT_A_DEVELOPER)
        if token not in self._valid:
            error = revoked_token(self._revoked[token]) if token in self._revoked else BAD_TOKEN
            problem = {"code": error.code, "message": error.message, "subcode": error.subcode or 0}
            return {"app_id": str(app_id), "type": self.kind, "is_valid": False, "scopes": [], "error": problem}
        scopes = sorted(self.permissions)
        return {
            "app_id": str(app_id),
            "type": self.kind,
            "application": "Simulated App",
            "data_access_expires_at": 0,
            "expires_at": self.expires_at,
            "is_valid": True,
            "profile_id": page_id,
            "scopes": scopes,
            "granular_scopes": [
                {"scope": scope, "target_ids": self.permission_pages.get(scope, [page_id])} for scope in scopes
            ],
        }

    def revoke(self, subcode: int = 460) -> None:
        """Refuse all tokens accepted so far with 190/*subcode*: 460 password changed, 463 expired."""
        self._revoked.update(dict.fromkeys(self._valid, subcode))
        self._valid.clear()

    def accept(self, token: str) -> None:
        """Accept *token* from now on, beside those that are accepted already; a revoked one comes back."""
        self._revoked.pop(token, None)
        self._valid.add(token)

    def reset_app_secret(self, app_secret: str) -> None:
        """Take proofs of *app_secret* alone from now on."""
        self._app_secret = app_secret.encode()

    def _proof_for(self, token: str) -> bytes:
        return hmac.digest(self._app_secret, token.encode(), hashlib.sha256).hex().encode()
