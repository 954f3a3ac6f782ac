"""Names that Shopify gives to topics and states: a slip in one makes a rule that never fires."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, quote, suggest

TOPIC_PATTERN = r"^[a-z0-9_]+(/[a-z0-9_]+)+$"
"""The form of a topic."""

KNOWN_TOPICS = frozenset(
    {
        "app/scopes_update",
        "app/uninstalled",
        "carts/create",
        "carts/update",
        "checkouts/create",
        "checkouts/delete",
        "checkouts/update",
        "customers/create",
        "customers/data_request",
        "customers/delete",
        "customers/disable",
        "customers/enable",
        "customers/merge",
        "customers/purchasing_summary",
        "customers/redact",
        "customers/update",
        "disputes/create",
        "disputes/update",
        "draft_orders/create",
        "draft_orders/delete",
        "draft_orders/update",
        "fulfillment_events/create",
        "fulfillment_events/delete",
        "fulfillment_orders/cancelled",
        "fulfillment_orders/hold_released",
        "fulfillment_orders/line_items_prepared_for_local_delivery",
        "fulfillment_orders/line_items_prepared_for_pickup",
        "fulfillment_orders/moved",
        "fulfillment_orders/placed_on_hold",
        "fulfillment_orders/rescheduled",
        "fulfillments/create",
        "fulfillments/update",
        "messenger/delivery",
        "messenger/echo",
        "messenger/message",
        "messenger/optin",
        "messenger/postback",
        "messenger/reaction",
        "messenger/read",
        "messenger/referral",
        "order_transactions/create",
        "orders/cancelled",
        "orders/create",
        "orders/delete",
        "orders/edited",
        "orders/fulfilled",
        "orders/paid",
        "orders/partially_fulfilled",
        "orders/risk_assessment_changed",
        "orders/updated",
        "refunds/create",
        "returns/approve",
        "returns/cancel",
        "returns/close",
        "returns/decline",
        "returns/reopen",
        "returns/request",
        "returns/update",
        "shop/redact",
        "shop/update",
    }
)
"""Webhook topics about orders, checkouts, parcels, refunds, customers and the app, and Messenger's events.
https://shopify.dev/docs/api/webhooks/latest. Plugins may bring others."""

NO_EVENTS = frozenset({"messenger/delivery", "messenger/echo", "messenger/read"})
"""Known topics of which shopbot makes no events: it takes in by itself what they say."""

FINANCIAL_STATUSES = frozenset(
    {
        "pending",
        "authorized",
        "partially_paid",
        "paid",
        "partially_refunded",
        "refunded",
        "voided",
        "expired",
    }
)
"""In lower case, as in webhooks.
https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderDisplayFinancialStatus"""

FULFILLMENT_STATUSES = frozenset({"unfulfilled", "partial", "fulfilled", "restocked", "pending"})
"""https://shopify.dev/docs/api/admin-rest/latest/resources/order; `unfulfilled` stands for Shopify's null."""


def is_slip(topic: str) -> bool:
    """Say whether *topic* is none that shopbot knows, and resembles one."""
    return topic not in KNOWN_TOPICS and suggest(topic, KNOWN_TOPICS) != ""


def unfamiliar_names(document: Document) -> list[Problem]:
    """Warn of topics that look like a slip, and of states that an order never has.

    A topic that resembles no known one is left alone: it may be a plugin's. Works on the raw data, so that
    the warnings come together with the errors of the same file.
    """
    warnings: list[Problem] = []
    rules = document.data.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict):
            continue
        place = ("rules", index)
        when = rule.get("when")
        states = when if isinstance(when, dict) else {}
        for path, topic in _texts(rule.get("on"), (*place, "on")):
            well_formed = re.fullmatch(TOPIC_PATTERN, topic)  # otherwise it is an error already
            if well_formed and topic not in KNOWN_TOPICS and (hint := suggest(topic, KNOWN_TOPICS)):
                warnings += _warn(document, path, "topic", topic, hint)
        for key, known in (
            ("financial_status", FINANCIAL_STATUSES),
            ("fulfillment_status", FULFILLMENT_STATUSES),
        ):
            for path, state in _texts(states.get(key), (*place, "when", key)):
                if state not in known:
                    hint = suggest(state, known) or f"; known: {', '.join(sorted(known))}"
                    warnings += _warn(document, path, key, state, hint)
    return warnings


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        yield from (((*path, index), item) for index, item in enumerate(value) if isinstance(item, str))


def _warn(document: Document, path: KeyPath, kind: str, name: str, hint: str) -> list[Problem]:
    if document.is_broken(path):
        return []
    names = document.origins.get(path)
    shown = "the value of " + " and ".join(f"${{{name}}}" for name in names) if names else quote(name)
    message = f"{shown} is no {kind} that shopbot knows, so the rule would never match{'' if names else hint}"
    return [document.problem(document.position(path), message, "warning")]
