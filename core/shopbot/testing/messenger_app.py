"""What the Graph API tells of the app and its tokens: `debug_token`, batches, and the app's own webhook.

Source: https://developers.facebook.com/docs/graph-api/reference/debug_token,
https://developers.facebook.com/docs/graph-api/batch-requests and
https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sanic import Request
from sanic.response import HTTPResponse

from shopbot.testing.graph_errors import GraphRefusal, invalid
from shopbot.testing.serving import SimulatorApp

if TYPE_CHECKING:
    from shopbot.testing.messenger import MessengerSimulator

MOST_IN_A_BATCH = 50


@dataclass(frozen=True)
class AppWebhook:
    """What the app's dashboard has under Webhooks for Pages."""

    callback_url: str
    fields: frozenset[str]
    active: bool = True

    def listed(self) -> dict[str, Any]:
        """Give the entry that `GET /{app-id}/subscriptions` shows."""
        fields = [{"name": name, "version": "v25.0"} for name in sorted(self.fields)]
        return {"object": "page", "callback_url": self.callback_url, "active": self.active, "fields": fields}


def add_app_routes(app: SimulatorApp, version: str, simulator: MessengerSimulator) -> None:
    """Add the routes below *version*, a pattern, to *app*."""
    routes = AppRoutes(simulator)
    app.add_route(routes.debug_token, f"{version}/debug_token", methods=["GET"])
    app.add_route(routes.batch, f"{version}/", methods=["POST"])
    app.add_route(
        routes.subscriptions, f"{version}/<app_id:int>/subscriptions", methods=["GET"], name="app_subscriptions"
    )


def credentials(request: Request, fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give the access token and the `appsecret_proof` of a call, from its header, its query or *fields*."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = request.args if request.query_string else {}
    token = bearer.strip() if scheme.lower() == "bearer" else None
    return (
        token or given.get("access_token") or fields.get("access_token"),
        given.get("appsecret_proof") or fields.get("appsecret_proof"),
    )


class AppRoutes:
    """What the Graph API answers about the app."""

    def __init__(self, simulator: MessengerSimulator) -> None:
        self._simulator = simulator

    async def debug_token(self, request: Request, version: str) -> HTTPResponse:  # noqa: ARG002
        """Tell what `?input_token=` may do, and until when."""
        self._simulator.tokens.check(*credentials(request, {}))
        return _json(self._debugged(request.args.get("input_token")))

    async def batch(self, request: Request, version: str) -> HTTPResponse:  # noqa: ARG002
        """Answer several calls at once; this simulator knows `GET debug_token` there, and nothing else."""
        form: Any = request.form or {}
        self._simulator.tokens.check(*credentials(request, {name: form.get(name) for name in form}))
        try:
            calls = json.loads(form.get("batch") or "")
        except ValueError:
            raise invalid("Param batch must be an array.") from None
        if not isinstance(calls, list) or not 0 < len(calls) <= MOST_IN_A_BATCH:
            raise invalid(f"Param batch must be an array of 1 to {MOST_IN_A_BATCH} calls.")
        return _json([self._answer(call) for call in calls])

    async def subscriptions(self, request: Request, version: str, app_id: int) -> HTTPResponse:  # noqa: ARG002
        """Tell where the app's webhooks go; asks for the app's own token."""
        self._simulator.tokens.check_app(credentials(request, {})[0], app_id)
        webhook = self._simulator.app_webhook
        return _json({"data": [] if webhook is None else [webhook.listed()]})

    def _debugged(self, token: str | None) -> dict[str, Any]:
        if not token:
            raise invalid("The parameter input_token is required")
        simulator = self._simulator
        return {"data": simulator.tokens.debugged(token, simulator.app_id, simulator.page_id)}

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        url = urlsplit(str(call.get("relative_url")))
        try:
            if (call.get("method"), url.path.strip("/")) != ("GET", "debug_token"):
                raise invalid(f"this simulator answers no {call.get('method')} {url.path} in a batch")
            body: dict[str, Any] = self._debugged(parse_qs(url.query).get("input_token", [""])[0])
        except GraphRefusal as refusal:
            return {"code": refusal.error.status, "body": json.dumps(refusal.error.body("A0000000000"))}
        return {"code": 200, "body": json.dumps(body)}


def _json(value: object) -> HTTPResponse:
    return HTTPResponse(json.dumps(value), 200, None, "application/json; charset=UTF-8")
