"""`GET /healthz` (the process answers) and `GET /readyz` (it is fit for work); some monitors ask by HEAD."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sanic import Request
from sanic.response import HTTPResponse, json

from shopbot.model.config_state import ConfigState

Check = Callable[[], Awaitable[str | None]]
"""Gives None when all is well, else what is wrong, for an operator."""

Warnings = Callable[[], Awaitable[Sequence[str]]]
"""Gives what an operator should know although the host is fit for work."""


class Health:
    """The handlers of the two health routes."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        warnings: Mapping[str, Warnings],
        configs: Mapping[str, Callable[[], ConfigState]],
    ) -> None:
        """Answer /readyz by these checks and with these warnings, each by name, and with each shop's configuration."""
        self._checks = checks
        self._warnings = warnings
        self._configs = configs

    async def alive(self, _request: Request) -> HTTPResponse:
        """Answer 200 while the event loop turns."""
        return json({"status": "alive"})

    async def ready(self, _request: Request) -> HTTPResponse:
        """Answer 200 when every check passes, else 503; the body names each, and what to be warned of.

        A configuration that was refused is no reason for a 503: the one before it works.
        """
        results = {name: await check() for name, check in self._checks.items()}
        fit = all(problem is None for problem in results.values())
        warnings = {name: list(texts) for name, give in self._warnings.items() if (texts := await give())}
        return json(
            {
                "status": "ready" if fit else "not ready",
                "checks": {name: problem or "ok" for name, problem in results.items()},
                "warnings": warnings,
                "config": await asyncio.to_thread(self._config),
            },
            status=200 if fit else 503,
        )

    def _config(self) -> Mapping[str, object]:
        states = {domain: state() for domain, state in self._configs.items()}
        return {
            domain: {
                "file": state.file,
                "version": state.version,
                "since": state.since.isoformat(timespec="seconds") if state.since else None,
                "refused": None
                if state.refusal is None
                else {
                    "version": state.refusal.version,
                    "at": state.refusal.at.isoformat(timespec="seconds"),
                    "problems": list(state.refusal.problems),
                },
            }
            for domain, state in states.items()
        }
