"""The checkout and cart API: who may use it, how requests are read and errors answered."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError
from sanic import Request
from sanic.response import HTTPResponse

from shopbot.metrics import Metrics
from shopbot.model.psid import is_psid
from shopbot.model.shopper_cart import CartLimits
from shopbot.store.carts import Carts
from shopbot.web.api_keys import ApiKeys
from shopbot.web.api_models import ErrorOut, FieldProblem
from shopbot.web.checkout_links import CheckoutLinks
from shopbot.web.metrics import Timed

Body = TypeVar("Body", bound=BaseModel)


class ApiError(Exception):
    """A request that is not carried out."""

    def __init__(self, status: int, answer: ErrorOut, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(answer.error)
        self.status = status
        self.answer = answer
        self.headers: Mapping[str, str] = (
            {} if retry_after_seconds is None else {"Retry-After": str(max(1, math.ceil(retry_after_seconds)))}
        )


def failure(status: int, error: str) -> ApiError:
    """Make an error with nothing but a text."""
    return ApiError(status, ErrorOut(error=error))


@dataclass(frozen=True, slots=True)
class ShopApi:
    """What the API works on, for one shop."""

    keys: ApiKeys
    carts: Carts
    limits: CartLimits
    links: CheckoutLinks | None
    """None where `checkouts:` in shopbot.yaml is empty."""


Operation = Callable[[ShopApi, Request], Awaitable[HTTPResponse]]


class ApiRoute:
    """One operation of the API as a handler: only for clients with a key, within the time limit, errors as JSON."""

    def __init__(
        self, operation: Operation, shops: Sequence[ShopApi], metrics: Metrics, *, route: str, limit_seconds: float
    ) -> None:
        """Serve these shops; a client's key says which of them is meant.

        route: the path as the documentation writes it, for metrics and logs: the real one has a PSID in it.
        """
        self._operation = operation
        self._shops = shops
        self._timed = Timed(self._answer, metrics, route)
        self._route = route
        self._limit_seconds = limit_seconds
        self._log = structlog.get_logger("shopbot.web")
        self._security = structlog.get_logger("shopbot.security")

    async def __call__(self, request: Request, **_path: str) -> HTTPResponse:
        """Answer a request; path parameters are read by the operation."""
        return await self._timed(request)

    async def _answer(self, request: Request) -> HTTPResponse:
        shop = self._shop(request)
        if shop is None:
            self._security.warning("request_rejected", route=self._route, status=401, remote=request.ip)
            missing = failure(401, "give one of the shop's API keys: `Authorization: Bearer …`")
            return answer(401, missing.answer, {"WWW-Authenticate": "Bearer"})
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await self._operation(shop, request)
        except ApiError as error:
            return answer(error.status, error.answer, error.headers)
        except TimeoutError:
            self._log.error("api_request_took_too_long", route=self._route, limit_seconds=self._limit_seconds)
            return answer(503, ErrorOut(error="it took too long"), {"Retry-After": "1"})
        except (RedisError, OSError) as error:
            self._log.error("api_store_failed", route=self._route, error=f"{type(error).__name__}: {error}")
            return answer(503, ErrorOut(error="the store does not answer"), {"Retry-After": "1"})

    def _shop(self, request: Request) -> ShopApi | None:
        authorization = request.headers.get("authorization", "")
        return next((shop for shop in self._shops if shop.keys.accept(authorization)), None)


def answer(status: int, body: BaseModel | bytes | None, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """Make a response: JSON in ASCII, kept by nobody on the way."""
    if isinstance(body, BaseModel):
        body = json.dumps(body.model_dump(mode="json", exclude_defaults=True)).encode()
    return HTTPResponse(
        body,
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        content_type="application/json" if body is not None else None,
    )


def read_body(request: Request, model: type[Body]) -> Body:
    """Read a request's JSON body.

    Raises:
        ApiError: 400, with every part that is wrong.
    """
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [
            FieldProblem(field=_place(detail["loc"]), problem=detail["msg"])
            for detail in details
            # pydantic also calls a list too short because it left out the entries that are wrong.
            if detail["type"] != "too_short" or not any(_is_below(other["loc"], detail["loc"]) for other in details)
        ]
        raise ApiError(400, ErrorOut(error="the request's body is not right", problems=problems)) from error


def read_psid(request: Request) -> str:
    """Read the shopper from the path. Raises ApiError, 400, where it is no PSID."""
    psid = request.match_info["psid"]
    if not is_psid(psid):
        raise failure(400, "the path names no shopper: a PSID is 1 to 32 digits")
    return str(psid)


def _is_below(location: tuple[Any, ...], list_location: tuple[Any, ...]) -> bool:
    return len(location) > len(list_location) and location[: len(list_location)] == list_location


def _place(location: tuple[Any, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
