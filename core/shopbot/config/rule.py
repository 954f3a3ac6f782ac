"""`rules:` in shopbot.yaml: which event leads to which steps."""

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from shopbot.config.expected import expected
from shopbot.config.phrase import check_phrase
from shopbot.config.problem import suggest
from shopbot.config.section import Name, OneOrMany, Section, Text, text_schema
from shopbot.config.shop import Language
from shopbot.config.topics import FINANCIAL_STATUSES, FULFILLMENT_STATUSES, KNOWN_TOPICS, NO_EVENTS, TOPIC_PATTERN
from shopbot.model.parcel import ParcelStatus


class Step(NamedTuple):
    """One step of a rule."""

    name: str
    setting: object
    """What stands behind the name: "order_confirmation" in `send_message: order_confirmation`. None for a
    bare name."""


_TOPIC_WORDS = "a topic such as orders/paid or messenger/message"


def _topic(value: str) -> str:
    if not re.fullmatch(TOPIC_PATTERN, value):
        several = re.split(r"[,;\s]+", value.strip())
        if len(several) > 1 and all(re.fullmatch(TOPIC_PATTERN, one) for one in several):
            raise expected(_TOPIC_WORDS, f"; several stand in a list: [{', '.join(several)}]")
        raise expected(_TOPIC_WORDS, suggest(value, KNOWN_TOPICS))
    return value


def _step(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, dict) and len(value) == 1:
        return value
    hint = ""
    if isinstance(value, dict) and value:
        hint = f" with {len(value)} keys; start each step with '- '"
    raise expected("a step: a name, or one 'name: setting'", hint, text=False)


_Topic = Annotated[
    str,
    AfterValidator(_topic),
    WithJsonSchema(text_schema(TOPIC_PATTERN, _TOPIC_WORDS, KNOWN_TOPICS - NO_EVENTS)),
]
_FinancialStatus = Annotated[Text, WithJsonSchema(text_schema(r"\S", "a status", FINANCIAL_STATUSES))]
_FulfillmentStatus = Annotated[Text, WithJsonSchema(text_schema(r"\S", "a status", FULFILLMENT_STATUSES))]
_SourceName = Annotated[Text, WithJsonSchema(text_schema(r"\S", "a name", ("web", "pos", "shopify_draft_order")))]
_Payload = Annotated[Text, WithJsonSchema(text_schema(r"\S", "a payload", ("ORDER_STATUS",)))]
_Phrase = Annotated[str, AfterValidator(check_phrase)]
_OneStep = Annotated[
    str | dict[str, object],
    BeforeValidator(_step),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]}),
]


class WhenSettings(Section):
    """What must be true of the event; everything that is given must hold. A list means any of its values."""

    financial_status: OneOrMany[_FinancialStatus] | None = Field(
        None,
        description="The order's payment: pending, authorized, partially_paid, paid, partially_refunded, "
        "refunded, voided or expired.",
    )
    fulfillment_status: OneOrMany[_FulfillmentStatus] | None = Field(
        None, description="The order's delivery: unfulfilled, partial, fulfilled or restocked."
    )
    source_name: OneOrMany[_SourceName] | None = Field(
        None,
        description="Where the order was made: web, pos, shopify_draft_order or an app's number, in quotes.",
    )
    cancelled: bool | None = Field(None, description="Whether the order is cancelled.")
    test: bool | None = Field(None, description="Whether it is a test order, made with a test payment.")
    parcel_status: OneOrMany[ParcelStatus] | None = Field(
        None,
        description="Where the parcel is that the event is about: " + ", ".join(ParcelStatus) + ".",
    )
    text_matches: OneOrMany[_Phrase] | dict[Language, OneOrMany[_Phrase]] | None = Field(
        None,
        description="Regular expressions, searched in what the shopper wrote, whatever the case of letters and the "
        "kind of apostrophe; only for Messenger events. Under the names of languages (en, de, pt_BR) they also say in "
        "which language to answer. Where `payload` is given as well, either will do.",
    )
    payload: OneOrMany[_Payload] | None = Field(
        None,
        description="What comes with a button or quick reply that was tapped: ORDER_STATUS, which also stands for "
        "ORDER_STATUS: and something behind it; only for Messenger events.",
    )


class RuleSettings(Section):
    """One rule: an event that matches `on`, `when` and `if` runs the steps in their order."""

    name: Name = Field(
        description="The rule's name in the journal and in claims. Renaming it makes a new rule.",
        examples=["order_confirmation"],
    )
    on: OneOrMany[_Topic] = Field(description="The topics that the rule looks at: orders/paid, or a list of them.")
    when: WhenSettings = Field(WhenSettings(), description="What must be true of the event.")
    condition: Text | None = Field(
        None,
        alias="if",
        description="A Jinja expression without braces that must be true: order.total.amount > 50.",
        examples=["order.total.amount > 50"],
    )
    once_per: Literal["order", "fulfillment", "refund", "event"] = Field(
        "event",
        description="order: the rule runs once for an order, whatever brings it; fulfillment: once for a parcel; "
        "refund: once for a refund; event: once for each event.",
    )
    steps: Annotated[tuple[_OneStep, ...], Field(min_length=1)] = Field(
        description="What is done, in this order: step names, or 'name: setting' where a step takes one."
    )

    @property
    def plan(self) -> tuple[Step, ...]:
        """The steps in their order, each with its name and its setting."""
        return tuple(
            Step(step, None) if isinstance(step, str) else Step(*next(iter(step.items()))) for step in self.steps
        )
