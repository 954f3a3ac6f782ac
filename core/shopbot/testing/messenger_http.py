"""The routes of the Messenger simulator: Graph API on one side, `/_simulator` for its owner on the other."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

from sanic import Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from shopbot.testing.clock import http_date
from shopbot.testing.graph_errors import GraphError, GraphRefusal, invalid
from shopbot.testing.messenger_app import add_app_routes, credentials
from shopbot.testing.messenger_control import add_control_routes
from shopbot.testing.messenger_faults import Fault
from shopbot.testing.messenger_state import Outcome, ReceivedRequest, SentMessage, Usage
from shopbot.testing.serving import SimulatorApp, new_app

if TYPE_CHECKING:
    from shopbot.testing.messenger import MessengerSimulator

_JSON = "application/json; charset=UTF-8"
# SO_LINGER with a time of zero makes close() send RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)


def build_app(simulator: MessengerSimulator) -> SimulatorApp:
    """Make a Sanic app that answers for *simulator*."""
    app = new_app("messenger-simulator")
    graph = GraphRoutes(simulator)
    version = r"/<version:v\d+\.\d+>"
    app.add_route(graph.messages, f"{version}/<page_id:str>/messages", methods=["POST"])
    app.add_route(graph.create_template, f"{version}/<page_id:str>/message_templates", methods=["POST"])
    app.add_route(graph.list_templates, f"{version}/<page_id:str>/message_templates", methods=["GET"])
    app.add_route(graph.delete_template, f"{version}/<page_id:str>/message_templates", methods=["DELETE"])
    app.add_route(graph.subscribe, f"{version}/<page_id:str>/subscribed_apps", methods=["POST"])
    app.add_route(graph.subscriptions, f"{version}/<page_id:str>/subscribed_apps", methods=["GET"])
    app.add_route(graph.page, f"{version}/<page_id:str>", methods=["GET"])
    add_app_routes(app, version, simulator)
    app.on_response(graph.sign)  # type: ignore[no-untyped-call]  # Sanic leaves it untyped
    app.exception(NotFound)(graph.unknown_path)
    app.exception(GraphRefusal)(graph.refused)
    add_control_routes(app, simulator)
    return app


class GraphRoutes:
    """What the Graph API answers."""

    def __init__(self, simulator: MessengerSimulator) -> None:
        self._simulator = simulator
        self._traces = itertools.count(1)

    async def messages(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Send a message or a sender action, with whatever fault is due."""
        simulator = self._simulator
        body = _json_object(request.body)
        psid = _recipient_id(body)
        fault = simulator.faults.next_for(psid) if len(simulator.faults) else None
        if fault is not None and not fault.accepted:
            answer = await self._instead(request, psid, fault)
            if answer is not None:
                return answer
        sent: SentMessage | None = None
        error: GraphError | None = None
        outcome: Outcome
        try:
            sent = simulator.accept(self._checked(request, page_id, body, "pages_messaging"), request.body)
        except GraphRefusal as refusal:
            error = refusal.error
        if simulator.latency_seconds:
            try:
                await asyncio.sleep(simulator.latency_seconds)
            except asyncio.CancelledError:
                outcome = "unanswered" if error is None else "rejected"
                self._record(request, psid, outcome, None, error=error, sent=sent, fault=fault)
                raise
        answer = self._success(_answer(psid, sent)) if error is None else self._error(error)
        if fault is not None and fault.accepted:
            return await self._afterwards(request, psid, fault, answer, error=error, sent=sent)
        outcome = "accepted" if error is None else "rejected"
        self._record(request, psid, outcome, answer.status, error=error, sent=sent, fault=fault)
        return answer

    async def create_template(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Create a utility template, in the state that the simulator is set to."""
        body = self._checked(request, page_id, _json_object(request.body), "pages_utility_messaging")
        template = self._simulator.templates.create(body, self._simulator.template_status)
        return self._success({"id": template.id, "status": template.status, "category": "UTILITY"})

    async def list_templates(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """List templates, all or those with `?name=`."""
        self._checked(request, page_id, {}, "pages_utility_messaging")
        name = request.args.get("name")
        found = [it.listed() for it in self._simulator.templates if name in {None, it.name}]
        return self._success({"data": found, "paging": {}})

    async def delete_template(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Delete by `?hsm_id=` (one language) or `?name=` (all languages)."""
        self._checked(request, page_id, {})
        name, template_id = request.args.get("name"), request.args.get("hsm_id")
        if name is None and template_id is None:
            raise invalid("The parameter name is required")
        if template_id is not None:
            name = None
        if not self._simulator.templates.delete(name=name, template_id=template_id):
            raise invalid("Message template not found")
        return self._success({"success": True})

    async def subscribe(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Subscribe the app to webhook fields of the Page."""
        body = self._checked(request, page_id, _json_object(request.body) or {}, "pages_manage_metadata")
        fields = request.args.get("subscribed_fields") or body.get("subscribed_fields")
        if not fields:
            raise invalid("The parameter subscribed_fields is required")
        names = fields.split(",") if isinstance(fields, str) else fields
        self._simulator.subscribed_fields = frozenset(names)
        return self._success({"success": True})

    async def subscriptions(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Tell which fields the app is subscribed to."""
        self._checked(request, page_id, {}, "pages_manage_metadata")
        fields = sorted(self._simulator.subscribed_fields)
        data = [{"id": str(self._simulator.app_id), "subscribed_fields": fields}] if fields else []
        return self._success({"data": data})

    async def page(self, request: Request, version: str, page_id: str) -> HTTPResponse:  # noqa: ARG002
        """Tell id and name of the Page; what a bot asks to see whether its token works."""
        self._checked(request, page_id, {})
        return self._success({"id": self._simulator.page_id, "name": "Simulated Page"})

    async def sign(self, request: Request, response: HTTPResponse) -> None:
        """Add what comes with every answer of Meta's: its time, and the version that has answered.

        Calls to a version that has ended are answered by the oldest that there is.
        https://developers.facebook.com/docs/graph-api/guides/versioning
        """
        self._simulator.on_call(f"{request.path}?{request.query_string}")
        response.headers["Date"] = http_date(self._simulator.clock_skew_seconds)
        asked = str(request.match_info.get("version", ""))
        if asked:
            ended = float(asked[1:]) < float(self._simulator.oldest_version[1:])
            response.headers["facebook-api-version"] = self._simulator.oldest_version if ended else asked

    async def refused(self, request: Request, exception: GraphRefusal) -> HTTPResponse:  # noqa: ARG002
        """Answer a call that one of the routes refused."""
        return self._error(exception.error)

    async def unknown_path(self, request: Request, exception: Exception) -> HTTPResponse:  # noqa: ARG002
        """Answer for every path that is none of the above."""
        return self._error(GraphError(2500, f"Unknown path components: {request.path}"))

    def _checked(
        self, request: Request, page_id: str, body: dict[str, Any] | None, permission: str | None = None
    ) -> dict[str, Any]:
        """Give *body* if the caller may do what it asks for; else raise GraphRefusal."""
        self._simulator.tokens.check(*credentials(request, body or {}))
        self._simulator.check_page(page_id)
        if permission is not None:
            self._simulator.tokens.require(permission)
        if body is None:
            raise invalid("The body must be a JSON object; the parameter recipient is required")
        return body

    async def _instead(self, request: Request, psid: str | None, fault: Fault) -> HTTPResponse | None:
        """Play *fault* for a request that is not handled; None: go on and handle it after all."""
        if fault.kind == "hang":
            try:
                await asyncio.sleep(fault.seconds)
            except asyncio.CancelledError:
                self._record(request, psid, "abandoned", None, fault=fault)
                raise
            return None
        answered = fault.kind in {"error", "http", "malformed"}
        self._record(
            request,
            psid,
            "fault",
            fault.status if answered else None,
            error=fault.graph_error,
            fault=fault,
        )
        return await self._faulty_answer(request, fault, b"{}")

    async def _afterwards(
        self,
        request: Request,
        psid: str | None,
        fault: Fault,
        answer: HTTPResponse,
        *,
        error: GraphError | None,
        sent: SentMessage | None,
    ) -> HTTPResponse:
        """Play *fault* for a request that was handled: the caller does not get *answer*, or gets it late."""
        outcome: Outcome = "unanswered" if error is None else "rejected"
        status = fault.status if fault.kind in {"http", "malformed"} else None
        self._record(request, psid, outcome, status, error=error, sent=sent, fault=fault)
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
            return answer
        return await self._faulty_answer(request, fault, answer.body or b"")

    async def _faulty_answer(self, request: Request, fault: Fault, body: bytes) -> HTTPResponse:
        headers = self._usage_headers(fault.regain_access_minutes)
        if fault.retry_after_seconds is not None:
            headers["Retry-After"] = str(fault.retry_after_seconds)
        match fault.kind:
            case "error" if fault.graph_error is not None:
                return self._error(fault.graph_error, headers)
            case "http":
                page = f"<html><body><h1>{fault.status}</h1></body></html>"
                return HTTPResponse(page, fault.status, headers, "text/html")
            case "malformed":
                return HTTPResponse("<!doctype html><title>Sorry</title>", 200, headers, "text/html")
            case "truncated":
                announced = len(body) + 64
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {_JSON}\r\nContent-Length: {announced}\r\n\r\n"
                protocol: Any = request.protocol
                await protocol.send(head.encode() + body[: len(body) // 2])
                return await _disconnect(request, reset=False)
            case _:
                return await _disconnect(request, reset=fault.kind == "reset")

    def _success(self, body: dict[str, Any]) -> HTTPResponse:
        return HTTPResponse(json.dumps(body), 200, self._usage_headers(), _JSON)

    def _error(self, error: GraphError, headers: dict[str, str] | None = None) -> HTTPResponse:
        trace_id = f"A{next(self._traces):010d}"
        headers = self._usage_headers() if headers is None else headers
        return HTTPResponse(json.dumps(error.body(trace_id)), error.status, headers, _JSON)

    def _usage_headers(self, regain_access_minutes: int | None = None) -> dict[str, str]:
        simulator = self._simulator
        headers: dict[str, str] = {}
        if simulator.app_usage is not None:
            headers["X-App-Usage"] = json.dumps(simulator.app_usage.fields())
        page_usage = simulator.page_usage
        if page_usage is None and regain_access_minutes is not None:
            page_usage = Usage(call_count=100)
        if page_usage is not None:
            fields = {"type": "messenger", **page_usage.fields()}
            fields["estimated_time_to_regain_access"] = regain_access_minutes or 0
            headers["X-Business-Use-Case-Usage"] = json.dumps({simulator.page_id: [fields]})
        return headers

    def _record(
        self,
        request: Request,
        psid: str | None,
        outcome: Outcome,
        status: int | None,
        *,
        error: GraphError | None = None,
        sent: SentMessage | None = None,
        fault: Fault | None = None,
    ) -> None:
        simulator = self._simulator
        record = ReceivedRequest(
            at=simulator.clock(),
            path=request.path,
            psid=psid,
            outcome=outcome,
            status=status,
            code=error.code if error else None,
            subcode=error.subcode if error else None,
            fault=fault.kind if fault else None,
            message_id=sent.message_id if sent else None,
            body=request.body,
        )
        simulator.log.add_request(record)
        if simulator.observer is not None:
            simulator.observer(record, sent)


async def _disconnect(request: Request, *, reset: bool) -> HTTPResponse:
    """Cut the connection under the handler, and wait for Sanic to notice."""
    transport = request.transport
    if transport is not None:
        if reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        protocol: Any = request.protocol
        protocol.abort()
    await asyncio.Event().wait()
    raise AssertionError("unreachable: losing the connection cancels its handler")


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _recipient_id(body: dict[str, Any] | None) -> str | None:
    recipient = body.get("recipient") if body else None
    value = recipient.get("id") if isinstance(recipient, dict) else None
    return value if isinstance(value, str) else None


def _answer(psid: str | None, sent: SentMessage | None) -> dict[str, Any]:
    answer = {} if psid is None else {"recipient_id": psid}
    return answer if sent is None else answer | {"message_id": sent.message_id}
