"""Whose event a body is, for events that still have one: they wait for something, or are dead letters."""

import json
import re
from collections.abc import Iterator, Mapping

from shopbot.model.compliance import PRIVACY_TOPICS
from shopbot.model.payload import read_integer
from shopbot.privacy.person import Person

_ORDER_GID = "gid://shopify/Order/"
_NUMBER = re.compile(rb"[0-9]+")
_PARTIES = ("sender.id", "recipient.id")


def concerns(person: Person, topic: str, body: bytes) -> bool:
    """Say whether an event is about a person: it names their PSID, an order of theirs, or them as the customer.

    What Shopify asks for in the person's own name is not: it ends by itself.
    """
    if topic in PRIVACY_TOPICS:
        return False
    mentioned = _mentions(person, body)
    # An address may also be written with JSON's escapes.
    if not mentioned and (person.email is None or b"\\u" not in body):
        return False
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return mentioned  # nobody can read it, and an id of the person stands in it
    return any(_is_theirs(person, topic, place, value) for place, value in _scalars(payload))


def order_of(topic: str, body: bytes) -> int | None:
    """Give the order that an event is about; None where its body names none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, Mapping):
        return None
    return read_integer(payload.get("id") if topic.startswith("orders/") else payload.get("order_id"))


def _mentions(person: Person, body: bytes) -> bool:
    """Look for ids as they are written: cheap, and most bodies have none of them."""
    ids = {*person.own_psids, *map(str, person.traces.order_ids)}
    if person.customer_id is not None:
        ids.add(str(person.customer_id))
    numbers = {one.encode() for one in ids}
    if any(found[0] in numbers for found in _NUMBER.finditer(body)):
        return True
    return person.email is not None and person.email.lower().encode() in body.lower()


def _is_theirs(person: Person, topic: str, place: str, value: str | int) -> bool:
    text = str(value)
    if topic.startswith("messenger/"):
        return place in _PARTIES and text in person.own_psids  # what people write says nothing about who they are
    if person.email is not None and text.lower() == person.email.lower():
        return True
    if person.whole and text in person.own_psids:
        return True
    number = read_integer(text.removeprefix(_ORDER_GID))
    if number is None:
        return False
    if place.endswith(("customer.id", "customer_id")):
        return number == person.customer_id
    names_order = (
        text.startswith(_ORDER_GID) or place.endswith("order_id") or (place == "id" and topic.startswith("orders/"))
    )
    return names_order and person.has_order(number)


def _scalars(payload: object) -> Iterator[tuple[str, str | int]]:
    """Give all texts and whole numbers of a body with their places: `customer.id`."""
    pending: list[tuple[str, object]] = [("", payload)]
    while pending:
        place, current = pending.pop()
        if isinstance(current, Mapping):
            pending += [(f"{place}.{key}" if place else str(key), part) for key, part in current.items()]
        elif isinstance(current, list):
            pending += [(place, part) for part in current]
        elif isinstance(current, str) or (isinstance(current, int) and not isinstance(current, bool)):
            yield place, current
