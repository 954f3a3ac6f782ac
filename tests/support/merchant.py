"""A merchant's own service: carts behind HTTP, and an endpoint that takes posts."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

from shopbot.testing.http_service import Answer, Asked, HttpService


class MerchantService(HttpService):
    """Keeps carts by PSID, at `/carts/{psid}`."""

    def __init__(self) -> None:
        super().__init__(self._act)
        self.carts: dict[str, datetime] = {}

    def _act(self, asked: Asked) -> Answer:
        if not asked.path.startswith("/carts/"):
            return Answer(202, "thanks")
        psid = asked.path.rpartition("/")[2]
        changed_at = self.carts.get(psid)
        if changed_at is None:
            return Answer(404)
        since = asked.headers.get("if-unmodified-since")
        if since is not None and changed_at > parsedate_to_datetime(since):
            return Answer(412, "changed")
        del self.carts[psid]
        return Answer(204)
