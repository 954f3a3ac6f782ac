"""(a) The yardstick: Sanic verifies the signature and forgets the order."""

from __future__ import annotations

import base64
import hmac
import os
import sys

from sanic import HTTPResponse, Request, Sanic
from sanic.response import text

KEY = os.environ["SHOPIFY_WEBHOOK_SECRET"].encode()
app: Sanic = Sanic("bare", configure_logging=False)  # type: ignore[type-arg]


@app.post("/webhooks/shopify")
async def receive(request: Request) -> HTTPResponse:
    """Answer 200 to what Shopify signed."""
    signature = base64.b64encode(hmac.digest(KEY, request.body, "sha256"))
    given = request.headers.get("x-shopify-hmac-sha256", "").encode(errors="surrogateescape")
    return text("") if hmac.compare_digest(signature, given) else text("", status=403)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
