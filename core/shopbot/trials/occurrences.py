"""Turns what happens in a test into the events that the host would get: the door through which everything comes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, suggest
from shopbot.config.topics import KNOWN_TOPICS
from shopbot.host.blueprint import Blueprint
from shopbot.model.event import Arrival, Source
from shopbot.model.order import UnreadableOrderError
from shopbot.model.polled import PolledOrder
from shopbot.model.request import Origin
from shopbot.polling import POLLED_TOPIC, arrival_of_poll
from shopbot.rules.news import ORDER_TOPICS, UnreadableError, read_json, read_news
from shopbot.store.milliseconds import milliseconds
from shopbot.testing.orders import order_bytes
from shopbot.testing.samples import SAMPLES, Circumstances, Sample, complete_order
from shopbot.trials.overrides import Overrides, as_written, joined, with_attributes
from shopbot.trials.settings import FIRST_NUMBER, Happening
from shopbot.web.messenger import arrival_of_act

_BUILT_OF: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "financial_status": ("financial_status", str),
    "currency": ("currency", str),
    "presentment_currency": ("presentment_currency", str),
    "customer_locale": ("locale", str),
    "order_number": ("number", int),
    "created_at": ("created_at", datetime.fromisoformat),
    "updated_at": ("updated_at", datetime.fromisoformat),
}
"""Fields of an order of which others are made: the builder's argument for each."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What happens in a test, on its way to the inbox."""

    at: datetime
    arrival: Arrival
    shopper: str
    """Whom it is about, as far as the test says."""
    order_id: int | None
    """The order that it is about; None where it is about none, or cannot be read."""

    @property
    def body(self) -> Mapping[str, Any]:
        """Give the body, parsed; empty where it is no mapping."""
        parsed = json.loads(self.arrival.body)
        return parsed if isinstance(parsed, dict) else {}


class Occurrences:
    """Makes the events of one test, and collects what is wrong with what happens in it."""

    def __init__(
        self,
        document: Document,
        blueprint: Blueprint,
        overrides: Overrides,
        directory: Path,
        *,
        shopper: str,
        page_id: str,
        token: str | None,
    ) -> None:
        """Prepare.

        overrides: checks what is `set:`, and has its own problems.
        directory: where files are looked for.
        shopper: whose orders samples are, and who does what is done.
        page_id: the Page that acts in Messenger are on.
        token: what samples carry in the place of the PSID; None: the PSID itself.
        """
        self._document = document
        self._blueprint = blueprint
        self._directory = directory
        self._shopper = shopper
        self._page_id = page_id
        self._token = token
        self._overrides = overrides
        self._ordered_at: dict[int, datetime] = {}
        self._count = 0
        self.problems: list[Problem] = []

    def make(self, happening: Happening, path: KeyPath, at: datetime) -> Occurrence | None:
        """Make the event of something that happens; None where something is wrong with it.

        path: where it stands in the file.
        at: when it happens, in the shop's own time zone.
        """
        self._count += 1
        sample = self._sample(happening, path)
        if happening.sample is not None and sample is None:
            return None
        is_act = happening.sample is None and happening.file is None and happening.body is None
        if is_act or (sample is not None and sample.build is None):
            return self._act(happening, sample, path, at)
        topic = POLLED_TOPIC if happening.polled else happening.topic or (sample.topic if sample else "")
        if not self._can_come(happening, topic, path):
            return None
        raw = self._raw(happening, sample, topic, path, at)
        return None if raw is None else self._webhook(happening, topic, raw, path, at)

    def _sample(self, happening: Happening, path: KeyPath) -> Sample | None:
        if happening.sample is None:
            return None
        sample = SAMPLES.get(happening.sample)
        if sample is None:
            known = suggest(happening.sample, SAMPLES) or f"; there are: {', '.join(SAMPLES)}"
            self._problem((*path, "sample"), f"there is no sample '{happening.sample}'{known}")
        elif sample.build is None:
            strays = [key for key in ("topic", "set", "order") if getattr(happening, key) is not None]
            strays += ["polled"] if happening.polled else []
            if strays:
                why = f"the sample '{sample.name}' is what a shopper does, and has no '{strays[0]}'"
                self._problem((*path, strays[0]), why)
                return None
        return sample

    def _can_come(self, happening: Happening, topic: str, path: KeyPath) -> bool:
        """Say whether the shop takes such a webhook, or finds such an order, at all."""
        if happening.polled:
            if not self._blueprint.settings.pollers:
                self._problem((*path, "polled"), "the shop has no `pollers:`, so no poller finds an order")
                return False
            return True
        if not self._blueprint.hooks.judges(Origin.SHOPIFY):
            self._problem(path, "no entry of `verify:` takes Shopify's webhooks, so the host would refuse this one")
            return False
        known = topic in KNOWN_TOPICS or any(topic in rule.topics for rule in self._blueprint.rules)
        if not known and (hint := suggest(topic, KNOWN_TOPICS)):
            self._problem((*path, "topic"), f"'{topic}' is no topic that shopbot knows, and no rule has it{hint}")
            return False
        return True

    def _raw(
        self, happening: Happening, sample: Sample | None, topic: str, path: KeyPath, at: datetime
    ) -> bytes | None:
        """Give the body's bytes."""
        about = self._circumstances(happening, at)
        given, place = happening.set or {}, (*path, "set")
        if sample is not None:
            complete = complete_order(about) if sample.is_order else sample.body(about)
            kind = "order" if sample.is_order else sample.name
            changes = self._overrides.checked(place, given, complete, kind=kind, built=sample.is_order)
            return None if changes is None else order_bytes(_built(sample, about, changes))
        if happening.file is not None:
            found = self._file(happening.file, (*path, "file"))
            if found is None or not given:
                return found
            body = json.loads(found)
        else:
            body = as_written(self._document, (*path, "body"), happening.body or {})
        complete = joined(complete_order(about), body) if topic in ORDER_TOPICS else body
        changes = self._overrides.checked(place, given, complete)
        return None if changes is None else order_bytes(_changed(body, changes))

    def _circumstances(self, happening: Happening, at: datetime) -> Circumstances:
        number = happening.order or FIRST_NUMBER
        about = Circumstances(
            at=at,
            number=number,
            shop=self._blueprint.shop.domain,
            attributes={self._blueprint.settings.checkout_tokens.attribute: self._carried(happening)},
            ordered_at=self._ordered_at.get(number),
        )
        self._ordered_at.setdefault(number, about.made_at)
        return about

    def _carried(self, happening: Happening) -> str:
        """Give what an order says of its shopper."""
        return self._token or self._shopper if happening.shopper is None else happening.shopper

    def _file(self, name: str, path: KeyPath) -> bytes | None:
        limit = self._blueprint.settings.web.max_body_bytes
        try:
            with (self._directory / name).open("rb") as file:
                raw = file.read(limit + 1)
        except (OSError, ValueError) as error:
            why = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            self._problem(path, f"{self._directory / name}: {why}")
            return None
        if len(raw) > limit:
            self._problem(path, f"{self._directory / name}: larger than `web.max_body_bytes`, {limit} bytes")
            return None
        try:
            is_mapping = isinstance(read_json(raw), dict)
        except UnreadableError as error:
            self._problem(path, f"{self._directory / name}: {error}")
            return None
        if not is_mapping:
            self._problem(path, f"{self._directory / name}: expected a JSON object, as webhooks have it")
        return raw if is_mapping else None

    def _webhook(self, happening: Happening, topic: str, raw: bytes, path: KeyPath, at: datetime) -> Occurrence | None:
        shopper = happening.shopper or self._shopper
        if happening.polled:
            try:
                polled = PolledOrder.from_payload(json.loads(raw))
            except UnreadableOrderError as error:
                self._problem(path, f"a poller cannot find this: {error}")
                return None
            return Occurrence(at, arrival_of_poll(polled, at), shopper, polled.order_id)
        arrival = Arrival(
            id=f"webhook:{happening.id or f'trial-{self._count}'}",
            topic=topic,
            source=Source.WEBHOOK,
            received_ms=milliseconds(at),
            triggered_at=at.isoformat(),
            body=raw,
        )
        try:
            order_id = read_news(topic, read_json(raw)).order_id
        except UnreadableError:
            order_id = None  # what becomes of such a webhook may be just what is tested
        return Occurrence(at, arrival, shopper, order_id)

    def _act(self, happening: Happening, sample: Sample | None, path: KeyPath, at: datetime) -> Occurrence | None:
        if not self._blueprint.hooks.judges(Origin.MESSENGER):
            why = "no entry of `verify:` takes Messenger's webhooks, so the shop never hears of what shoppers do"
            self._problem(path, why)
            return None
        shopper, mid = happening.shopper or self._shopper, happening.id or f"m_trial-{self._count}"
        says = sample.says if sample else happening.says
        taps = sample.taps if sample else happening.taps
        content: dict[str, Any] = {"mid": mid}
        if taps is not None:
            kind, content["text"] = "message", happening.title or says or taps
            content["quick_reply"] = {"payload": taps}
        elif happening.presses is not None:
            kind, content["title"] = "postback", happening.title or happening.presses
            content["payload"] = happening.presses
        elif happening.follows is not None:
            kind = "referral"
            content |= {"ref": happening.follows, "source": "SHORTLINK", "type": "OPEN_THREAD"}
        else:
            kind, content["text"] = "message", says
        item = {
            "sender": {"id": shopper},
            "recipient": {"id": self._page_id},
            "timestamp": int(at.timestamp() * 1000),
            kind: content,
        }
        return Occurrence(at, arrival_of_act(kind, item, at), shopper, None)

    def _problem(self, path: KeyPath, message: str) -> None:
        self.problems.append(self._document.problem(self._document.position(path), message))


def _built(sample: Sample, about: Circumstances, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Build a sample with changes: those of which other fields are made go to its builder."""
    if not sample.is_order:
        return _changed(sample.body(about), changes)
    arguments: dict[str, Any] = {}
    rest = dict(changes)
    for key, (argument, read) in _BUILT_OF.items():
        if rest.get(key) is not None:
            arguments[argument] = read(rest.pop(key))
    if rest.get("line_items") is not None:
        arguments["lines"] = rest.pop("line_items")
    return _changed(sample.body(about, **arguments), rest)


def _changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    attributes = changes.get("note_attributes")
    if isinstance(attributes, Mapping):
        changes = {**changes, "note_attributes": with_attributes(body.get("note_attributes"), attributes)}
    return joined(body, changes)
