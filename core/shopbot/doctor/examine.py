"""Makes all checks of one shop, at the same time, and puts what they find into one report."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shopbot.config.topics import KNOWN_TOPICS
from shopbot.doctor import public_url
from shopbot.doctor.check import collect
from shopbot.doctor.configuration import configuration_findings
from shopbot.doctor.plugin import PluginCheck
from shopbot.doctor.probe import Prober
from shopbot.doctor.probe_answer import AREA as ADDRESS_AREA
from shopbot.doctor.public_address import Patience, PublicAddress
from shopbot.doctor.report import Discretion, Entry, Report
from shopbot.doctor.store import AREA as STORE_AREA
from shopbot.doctor.store import StoreCheck
from shopbot.doctor.work import AREA as WORK_AREA
from shopbot.doctor.work import WorkCheck
from shopbot.host.blueprint import Blueprint, Checked
from shopbot.host.plugin_context import plugin_context
from shopbot.host.utility_templates import template_definitions
from shopbot.model.examination import Examination
from shopbot.model.finding import CLOCK, Finding
from shopbot.model.request import Origin
from shopbot.store.connection import connect
from shopbot.store.keys import Keys
from shopbot.store.records import Records

_PING_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class OpenStore:
    """How the store can be reached."""

    url: str | None
    """None where it cannot be reached at all."""
    host_runs: bool | None = None
    """Whether a host has it open; None where that cannot be told: the server is not the host's own."""
    problem: str = ""
    """Why it cannot be reached; empty where nobody has tried."""


_NOT_OPENED = OpenStore(None, problem="it was not opened")
_NOWHERE = "unix:///dev/null"
"""What a plugin gets for a store that cannot be reached: every call of it fails."""


async def examine(
    checked: Checked,
    store: OpenStore = _NOT_OPENED,
    *,
    address: str | None = None,
    today: date | None = None,
    patience: Patience | None = None,
) -> Report:
    """Look at everything that a shop needs.

    address: the public one, as `read_public_url` gives it; None tries none.
    today: None is today, in UTC.
    """
    entries = [Entry(finding.area, finding) for finding in configuration_findings(checked)]
    if checked.blueprint is not None:
        client = connect(store.url or _NOWHERE, max_connections=8)
        try:
            shop = _Shop(checked.blueprint, client, address, today or datetime.now(UTC).date(), patience or Patience())
            entries += await shop.examine(store)
        finally:
            await client.aclose()
    return Report(_sorted(Discretion(checked.secrets).entries(entries)))


class _Shop:
    def __init__(
        self, blueprint: Blueprint, client: Redis, address: str | None, today: date, patience: Patience
    ) -> None:
        self._blueprint = blueprint
        self._client = client
        self._keys = Keys(blueprint.shop.domain)
        self._addresses = public_url.addresses(address) if address else {}
        self._today = today
        self._patience = patience

    async def examine(self, store: OpenStore) -> Sequence[Entry]:
        away = store.problem or await self._away()
        checks = [(ADDRESS_AREA, self._address(answers=not away))]
        if away:
            checks.append((STORE_AREA, _away(away)))
        else:
            strict = self._blueprint.settings.durability == "strict"
            checks.append((STORE_AREA, StoreCheck(self._client, self._keys, strict=strict).look()))
            work = WorkCheck(self._blueprint, self._client, datetime.now(UTC), host_runs=store.host_runs)
            checks.append((WORK_AREA, work.look()))
        checks += self._plugins()
        found = await asyncio.gather(*(collect(area, findings) for area, findings in checks))
        return [entry for entries in found for entry in entries]

    def _plugins(self) -> Sequence[tuple[str, AsyncGenerator[Finding, None]]]:
        hooks = self._blueprint.hooks
        instances = {hook.place: hook.instance for hook in hooks.examined}
        instances |= {hook.place: hook.instance for hook in hooks.template_managers}
        templates = [definition for _, definition in template_definitions(self._blueprint, wordless=True)]
        context = partial(plugin_context, self._blueprint, self._client)
        examination = self._examination(sends_templates=bool(templates))
        return [
            (place, PluginCheck(instances[place], context, examination, templates).look())
            for place in hooks.places
            if place in instances
        ]

    def _examination(self, *, sends_templates: bool) -> Examination:
        # Not those of the rules that are always there: only an App Store app must subscribe to them.
        rules = [rule for rule in self._blueprint.rules if not rule.built_in]
        wanted = KNOWN_TOPICS.intersection(topic for rule in rules for topic in rule.topics)
        messenger = frozenset(topic for topic in wanted if topic.startswith("messenger/"))
        return Examination(
            today=self._today,
            topics={Origin.SHOPIFY: wanted - messenger, Origin.MESSENGER: messenger},
            taken=frozenset(origin for origin in Origin if self._blueprint.hooks.judges(origin)),
            addresses=self._addresses,
            sends_templates=sends_templates,
        )

    async def _address(self, *, answers: bool) -> AsyncGenerator[Finding, None]:
        if not self._addresses:
            yield Finding.warning(
                "the public address was not tried",
                meaning="whether a proxy changes, drops or delays webhooks is not known",
                to_do="shopbot doctor --url https://… with the address that Shopify and Meta use",
            )
            return
        check = PublicAddress(
            self._addresses,
            Prober(self._blueprint.hooks, self._blueprint.shop.domain),
            Records(self._client, self._keys) if answers else None,
            most_body_bytes=self._blueprint.settings.web.max_body_bytes,
            patience=self._patience,
        )
        async for finding in check.look():
            yield finding

    async def _away(self) -> str:
        """Say why the store does not answer; empty when it does."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._client.ping()
        except TimeoutError:
            return f"no answer within {_PING_SECONDS:g} s"
        except (RedisError, OSError) as error:
            return str(error)
        return ""


async def _away(why: str) -> AsyncGenerator[Finding, None]:
    yield Finding.problem(
        f"the store does not answer: {why}",
        meaning="webhooks are answered 503 and nothing is sent; how the host fares could not be looked at",
        to_do="start it, or mind `store:`, its password and the network between here and there",
    )


def _sorted(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Bring the areas of the framework to the front, those of plugins behind them, each in its order."""
    order = {area: rank for rank, area in enumerate(("configuration", STORE_AREA, CLOCK, WORK_AREA, ADDRESS_AREA))}
    return sorted(entries, key=lambda entry: order.get(entry.area, len(order)))
