"""(c) FastAPI hands the order to a task in its own process: quick to write, and a crash loses what was answered 200."""

# What it imports is in .venv-bench alone.
# mypy: disable-error-code="import-not-found,untyped-decorator"

from __future__ import annotations

import base64
import hmac
import json
import os
import sys
from typing import Any

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, Response

KEY = os.environ["SHOPIFY_WEBHOOK_SECRET"].encode()
app = FastAPI()


async def process(order: dict[str, Any]) -> None:
    """Stand for the work on an order, which is not measured here."""


@app.post("/webhooks/shopify")
async def receive(request: Request, background: BackgroundTasks) -> Response:
    """Answer 200 to what Shopify signed, then work."""
    body = await request.body()
    signature = base64.b64encode(hmac.digest(KEY, body, "sha256"))
    if not hmac.compare_digest(signature, request.headers.get("x-shopify-hmac-sha256", "").encode()):
        return Response(status_code=403)
    background.add_task(process, json.loads(body))
    return Response()


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
