"""Looks whether webhooks get through the public address: signed probes, from here, as the platforms send them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from shopbot.doctor.probe import Probe, Prober
from shopbot.doctor.probe_answer import AREA, PLATFORM_SECONDS, ProbeAnswer, judge
from shopbot.doctor.transport import certificate_end, certificate_finding, unreachable
from shopbot.hooks import PluginFailedError
from shopbot.model.finding import Finding
from shopbot.model.request import Origin
from shopbot.store.records import EventRecord, Records
from shopbot.web.probe import Echo

_LOOK_SECONDS = 0.05
_MOST_ANSWER_BYTES = 65_536
_NAMES = {Origin.SHOPIFY: "Shopify's webhooks", Origin.MESSENGER: "Messenger's webhooks"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before something counts as not happening."""

    answer_seconds: float = 2 * PLATFORM_SECONDS
    """For the answer to a probe; longer than the platforms wait, to tell slow from dead."""
    work_seconds: float = 10.0
    """For a worker to work the probe off."""


class UnreachableError(Exception):
    """No answer came; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class PublicAddress:
    """The way from the internet to the host."""

    def __init__(
        self,
        addresses: Mapping[Origin, str],
        prober: Prober,
        records: Records | None,
        *,
        most_body_bytes: int,
        patience: Patience,
    ) -> None:
        """Prepare.

        addresses: of the routes.
        records: of the store, where the events of probes are looked for; None where the store is away.
        most_body_bytes: what the host takes at most.
        """
        self._addresses = addresses
        self._prober = prober
        self._records = records
        self._most_body_bytes = most_body_bytes
        self._patience = patience

    async def look(self) -> AsyncGenerator[Finding, None]:
        """Send the probes of all routes, and say how each fared."""
        async with httpx.AsyncClient(timeout=self._patience.answer_seconds, follow_redirects=False) as client:
            told: set[Finding] = set()
            signed: dict[Origin, Sequence[Probe]] = {}
            for route in self._addresses:
                try:
                    signed[route] = self._prober.small(route)
                except PluginFailedError as error:
                    yield _unsigned(f"{error.place} cannot sign a probe: {error.what}")
            routes = [route for route, probes in signed.items() if probes]
            if not routes:
                yield _unsigned("no plugin under `verify:` can sign a probe")
            try:
                for route in routes:
                    async for finding in self._route(client, route, self._addresses[route], signed[route]):
                        if finding not in told:  # all routes have one certificate
                            yield finding
                        told.add(finding)
            except UnreachableError as error:
                yield error.finding  # the other routes are at the same place

    async def _route(
        self, client: httpx.AsyncClient, route: Origin, url: str, probes: Sequence[Probe]
    ) -> AsyncGenerator[Finding, None]:
        """Try one route: with each secret, then with a large body, and then see what became of it.

        Raises:
            UnreachableError: no answer came.
        """
        answers = [await self._send(client, url, probe) for probe in probes]
        findings = [one for probe, answer in zip(probes, answers, strict=True) for one in judge(probe, answer)]
        if all(answer.whole for answer in answers):
            findings += await self._large(client, route, url)
        if not findings:
            slowest_ms = max(answer.seconds for answer in answers) * 1000
            yield Finding.ok(f"{_NAMES[route]} reach the host unchanged at {url}, {slowest_ms:.0f} ms", area=AREA)
        for finding in dict.fromkeys(findings):  # what is wrong with every secret is told once
            yield finding
        if any(answer.whole for answer in answers):
            async for finding in self._worked_off(probes[0]):
                yield finding
        if answers[0].certificate_ends is not None:
            yield certificate_finding(answers[0].certificate_ends, datetime.now(UTC))

    async def _large(self, client: httpx.AsyncClient, route: Origin, url: str) -> Sequence[Finding]:
        """Try a large body: many a proxy refuses it, and cuts the connection while it is still being sent."""
        probe = self._prober.large(route, self._most_body_bytes)[0]
        try:
            return list(judge(probe, await self._send(client, url, probe), large=True))
        except UnreachableError as error:
            return [
                Finding.problem(
                    f"a body of 2 MB does not get through: {error.finding.what}",
                    meaning="large orders are refused, and their webhooks lost",
                    to_do="raise the proxy's limits for bodies (nginx: client_max_body_size 5m) and for their time",
                    area=AREA,
                )
            ]

    async def _send(self, client: httpx.AsyncClient, url: str, probe: Probe) -> ProbeAnswer:
        """Send a probe as a platform does.

        Raises:
            UnreachableError: no answer came.
        """
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with (
                asyncio.timeout(self._patience.answer_seconds),
                client.stream("POST", url, content=probe.body, headers=dict(probe.headers)) as response,
            ):
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_ANSWER_BYTES:
                        break
                ends = certificate_end(response)
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnreachableError(unreachable(url, error, self._patience.answer_seconds)) from error
        return ProbeAnswer(
            url=url,
            status=response.status_code,
            seconds=clock() - begun,
            echo=Echo.read(body),
            location=response.headers.get("Location", ""),
            certificate_ends=ends,
        )

    async def _worked_off(self, probe: Probe) -> AsyncGenerator[Finding, None]:
        """Look whether the probe came into this store, and whether somebody has worked it off."""
        if self._records is None or probe.event_id is None:
            return
        record = await self._finished(self._records, probe.event_id)
        if record is None:
            yield Finding.problem(
                "the host behind the public address has taken a probe in, and it is not in this store",
                meaning="it works with another store than this configuration names; what is seen here is not its state",
                to_do="run doctor with the configuration, environment and data_dir of that host",
                area=AREA,
            )
        elif not record.status:
            yield Finding.problem(
                f"a probe has waited in the inbox for {self._patience.work_seconds:g} s, and no worker takes it",
                meaning="webhooks are taken in and nothing follows: no cart is cleared, no confirmation sent",
                to_do="start a process with `--role all` or `worker`, or see in its log why it does not keep up",
                area=AREA,
            )
        else:
            yield Finding.ok("a probe went the whole way: address, host, store and worker", area=AREA)

    async def _finished(self, records: Records, event_id: str) -> EventRecord | None:
        clock = asyncio.get_running_loop().time
        until = clock() + self._patience.work_seconds
        while True:
            record = await records.event(event_id)
            if record is None or record.status or clock() >= until:
                return record
            await asyncio.sleep(_LOOK_SECONDS)


def _unsigned(what: str) -> Finding:
    return Finding.warning(
        what,
        meaning="whether webhooks reach the host through the public address was not tried",
        to_do="have the verifier answer the hook sign_request, as the bundled ones do",
        area=AREA,
    )
