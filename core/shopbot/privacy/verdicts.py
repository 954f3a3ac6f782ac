"""Whose a key is: by its name, else by what is in it. What leads on to other keys of a person is noted with them."""

import re
from collections.abc import Mapping, Sequence

from shopbot.model.order_reference import OrderReference
from shopbot.privacy.bodies import concerns, order_of
from shopbot.privacy.inventory import FoundKey
from shopbot.privacy.person import Person
from shopbot.store.checkouts import ERASED_ORDER
from shopbot.store.entry import read_event

_CART_ID = re.compile(r"gid://shopify/Cart/([^?]+)")
_SUBJECT = re.compile(r"(order|fulfillment|refund|event):(.+?)(#[0-9]+)?", re.DOTALL)
"""What a claim is for; a rule's second message has a number behind it."""

QUESTIONS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("shopper", "checkout_token_lookup", "checkout_of"), ("GET",)),
    **dict.fromkeys(("checkout_token", "storefront_cart", "order_reference"), ("GET",)),
    "event": ("HMGET", "head", "body"),
    "claim": ("HMGET", "event"),
    "checkout": ("HMGET", "order_id"),
}
"""How to read what `by_value` asks for, by the kind of key: the command and the fields."""

LEAD_ON = frozenset({"checkout_token", "storefront_cart", "order_reference"})
"""Kinds that are a shopper's by their names, and whose values lead on to others all the same."""


def by_name(person: Person, key: FoundKey) -> bool | None:
    """Judge a key by its name; None where only its value can tell."""
    parts, traces, name = key.parts, person.traces, key.name
    match name:
        case "order_reference" | "order_confirmation":
            if person.has_order(parts["order_id"]):
                return True
            psid = parts["psid"]
            return psid in traces.psids and person.met_order(psid, parts["order_id"])
        case "order" | "shopper":
            return person.has_order(parts["order_id"]) or (None if name == "shopper" else False)
        case "event" | "journal" | "webhook_id":
            # A webhook's id is Shopify's number of the delivery and tells nothing: it goes on keeping repetitions out.
            theirs = person.has_event(parts["event_id"])
            if name == "webhook_id":
                return theirs and not parts["event_id"].startswith("webhook:")
            if theirs:
                traces.event_ids.add(parts["event_id"])
            return theirs or (None if name == "event" else False)
        case "claim":
            return _by_subject(person, parts["subject"])
        case "checkout_token_lookup":
            return parts["token"] in traces.tokens or None
        case "checkout" | "checkout_of":
            return None
    return "psid" in parts and parts["psid"] in person.own_psids


def _by_subject(person: Person, subject: str) -> bool | None:
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        return None
    kind, name, number = found.groups()
    if kind == "order":
        return name.isdecimal() and person.has_order(name)
    if kind == "event":
        return person.has_event(name) or person.has_event(name + (number or ""))
    return f"{kind}:{name}" in person.traces.subjects or None


def by_value(person: Person, key: FoundKey, answer: Sequence[bytes | None]) -> bool:
    """Judge a key by what is in it."""
    parts, traces = key.parts, person.traces
    value = (answer[0] or b"").decode("utf-8", "replace")
    if key.name in LEAD_ON:
        _lead_on(person, key, value)
        return True
    match key.name:
        case "shopper":
            return value in traces.psids and person.met_order(value, parts["order_id"])
        case "checkout_token_lookup" if value in person.own_psids:
            traces.tokens.add(parts["token"])
            return True
        case "checkout_of" if parts["token"] in traces.tokens or value in traces.nonces:
            traces.tokens.add(parts["token"])
            traces.nonces.update(filter(None, [value]))
            return True
        case "checkout" if value != str(ERASED_ORDER):
            theirs = parts["nonce"] in traces.nonces or (value != "" and person.has_order(value))
            if theirs:
                traces.nonces.add(parts["nonce"])
            return theirs
        case "claim":
            return value in traces.event_ids
        case "event" if len(answer) > 1 and answer[1]:
            topic = read_event(parts["event_id"], answer[0] or b"", b"").topic
            return _by_body(person, parts["event_id"], topic, answer[1])
    return False


def _lead_on(person: Person, key: FoundKey, value: str) -> None:
    """Note what a key of the person's names: the tokens of their checkouts, the parcels and refunds of their orders."""
    match key.name:
        case "checkout_token":
            person.traces.tokens.add(value)
        case "storefront_cart":
            person.traces.tokens.update(_CART_ID.findall(value))
        case _:
            reference = OrderReference.from_json(value, int(key.parts["order_id"]), None)
            person.traces.subjects.update(f"fulfillment:{parcel.fulfillment_id}" for parcel in reference.parcels)
            person.traces.subjects.update(f"refund:{refund.id}" for refund in reference.refunds)


def _by_body(person: Person, event_id: str, topic: str, body: bytes) -> bool:
    if not concerns(person, topic, body):
        return False
    person.traces.event_ids.add(event_id)
    order_id = order_of(topic, body) if person.whole and not topic.startswith("messenger/") else None
    if order_id is not None:
        person.traces.order_ids.add(order_id)
    return True
