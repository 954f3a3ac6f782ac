"""A client of the checkout and cart API that holds every answer against the OpenAPI document that the host serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from shopbot.web.openapi import document


@dataclass
class ApiClient:
    """Sends requests; an answer that the document does not describe fails the test."""

    http: httpx.AsyncClient
    described: dict[str, Any] = field(default_factory=document)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - as httpx takes them
    ) -> httpx.Response:
        """Send a request; *body* is sent as JSON unless it is bytes or None."""
        if isinstance(body, bytes):
            more["content"] = body
        elif body is not None:
            more["json"] = body
        response = await self.http.request(method, path, headers=dict(headers or {}), **more)
        self.check(method, path, response)
        return response

    def check(self, method: str, path: str, response: httpx.Response) -> None:
        """Hold an answer against the document."""
        operation = self.operation(method, path)
        responses = operation["responses"]
        assert str(response.status_code) in responses, f"{method} {path} gave {response.status_code}: {response.text}"
        content = responses[str(response.status_code)].get("content")
        assert response.headers["cache-control"] == "no-store"
        if content is None:
            assert response.content == b""
            return
        assert response.headers["content-type"] == "application/json"
        schema = {**content["application/json"]["schema"], "components": self.described["components"]}
        Draft202012Validator(schema).validate(response.json())
        for name in responses[str(response.status_code)].get("headers", ()):
            assert name in response.headers

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """Find the operation that serves a path."""
        for template, operations in self.described["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in operations:
                found: dict[str, Any] = operations[method.lower()]
                return found
        raise AssertionError(f"the document does not describe {method} {path}")
