"""(d) FastAPI puts the order into arq's job queue: as durable as its store, one round trip after another."""

# What it imports is in .venv-bench alone.
# mypy: disable-error-code="import-not-found,untyped-decorator"

from __future__ import annotations

import base64
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from arq import create_pool
from arq.connections import RedisSettings
from fastapi import FastAPI, Request, Response

KEY = os.environ["SHOPIFY_WEBHOOK_SECRET"].encode()


@asynccontextmanager
async def lifespan(running: FastAPI) -> AsyncIterator[None]:
    """Keep a pool of connections to the store while the server runs."""
    running.state.queue = await create_pool(RedisSettings(unix_socket_path=os.environ["STORE_SOCKET"]))
    yield
    await running.state.queue.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/shopify")
async def receive(request: Request) -> Response:
    """Answer 200 to what Shopify signed, once it is queued."""
    body = await request.body()
    signature = base64.b64encode(hmac.digest(KEY, body, "sha256"))
    if not hmac.compare_digest(signature, request.headers.get("x-shopify-hmac-sha256", "").encode()):
        return Response(status_code=403)
    # The webhook's id as the job's: arq then drops a second delivery, as shopbot does.
    webhook_id = request.headers["x-shopify-webhook-id"]
    await request.app.state.queue.enqueue_job("process", json.loads(body), _job_id=webhook_id)
    return Response()


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
