"""`messages:` in shopbot.yaml: what is said, for which purpose, and how often."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from shopbot.config.expected import expected
from shopbot.config.problem import suggest
from shopbot.config.section import Section, Text, one_of, text_schema
from shopbot.config.shop import Language

TAGS: Mapping[str, str] = {
    "order_update": "news about an order",
    "shipping_update": "news about a parcel",
    "payment_update": "news about a payment or a refund",
    "order_answer": "the answer to what the shopper just wrote",
}
"""Purposes of messages, shopbot's own names. They group messages for limits and pick the delivery mode;
none is ever sent to Meta as a message tag."""

DEAD_TAGS = frozenset({"POST_PURCHASE_UPDATE", "CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "MESSAGE_TAG"})
"""Messenger's own tags and the messaging type that carried them: error 100 since 2026-04-27, in all versions.
https://developers.facebook.com/docs/messenger-platform/reference/send-api"""

_LIMIT_PATTERN = r"^[1-9][0-9]{0,5}/(hour|day|week)$"
_LIMIT = re.compile(_LIMIT_PATTERN)
_LIMIT_WORDS = "a limit such as 1/day, 3/week or 2/hour"
_LONGEST_PAYLOAD = 1000
_PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


def _tag(value: str) -> str:
    if value in TAGS:
        return value
    if value.upper() in DEAD_TAGS:
        what = "one of shopbot's own purposes, such as order_update"
        raise expected(what, ": Messenger refuses that tag since 2026-04-27, so it can never be sent")
    if value == "HUMAN_AGENT":
        raise expected(one_of(TAGS), ": Messenger allows that tag only for what a person typed")
    raise expected(one_of(TAGS), suggest(value, TAGS))


class Limit(Section):
    """At most so many messages in a period."""

    count: int = Field(ge=1, description="Messages per period and shopper.")
    period: timedelta = Field(description="The period: an hour, a day or a week.")

    def __str__(self) -> str:
        name = next((name for name, period in _PERIODS.items() if period == self.period), str(self.period))
        return f"{self.count}/{name}"


def _limit(value: object) -> Limit:
    if isinstance(value, Limit):
        return value
    if not isinstance(value, str) or not _LIMIT.fullmatch(value):
        raise expected(_LIMIT_WORDS, text=False)
    count, _, name = value.partition("/")
    return Limit(count=int(count), period=_PERIODS[name])


class UtilityTemplateSettings(Section):
    """An approved utility template: the only thing that Messenger takes outside its standard window.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
    """

    name: Text = Field(description="The template's name, as it was approved.", examples=["order_confirmation"])
    language: Text | None = Field(
        None,
        description="The template's language, as it was approved: en_US. Without one: the shop's locale.",
        examples=["en", "en_US"],
    )
    parameters: tuple[str, ...] = Field(
        (),
        description="Values of the body's placeholders in their order; each is a Jinja template.",
        examples=[["{{ order.name }}", "{{ order.estimated_delivery | date }}"]],
    )
    body: Text | Annotated[dict[Text, Text], Field(min_length=1)] | None = Field(
        None,
        description="The template's words, with {{1}}, {{2}} where the parameters go, so that `shopbot templates` can "
        "submit it; or the words in several languages, by their names (en, pt_BR), of which the shopper's is used.",
        examples=["Your order {{1}} is confirmed and arrives on {{2}}, as promised."],
    )

    @model_validator(mode="after")
    def _language_has_words(self) -> Self:
        if isinstance(self.body, dict) and self.language is not None and self.language not in self.body:
            raise expected("'language' to be one of those under 'body'", text=False, got=False)
        return self

    def bodies(self, shop_locale: str) -> Mapping[str, str | None]:
        """Give the words by language, first for shoppers whose language has none; None where Meta alone has them."""
        first = self.language or shop_locale
        if not isinstance(self.body, dict):
            return {first: self.body}
        return {language: self.body[language] for language in sorted(self.body, key=lambda one: one != first)}


class QuickReplySettings(Section):
    """A button below a message that answers for the shopper, and is gone after the tap.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies
    """

    title: Text | Annotated[dict[Language, Text], Field(min_length=1)] = Field(
        description="What it says, 20 characters at most; a Jinja template. Or the titles by the names of languages "
        "(en, de, pt_BR), of which the one in the language of the message's text is used.",
        examples=["Where's my order?"],
    )
    payload: Annotated[Text, Field(max_length=_LONGEST_PAYLOAD)] = Field(
        description="What a rule's `payload:` waits for: ORDER_STATUS. A Jinja template, 1000 characters at most.",
        examples=["ORDER_STATUS"],
    )

    @property
    def titles(self) -> Mapping[str, str]:
        """The titles by language; under "" one for all languages."""
        return {"": self.title} if isinstance(self.title, str) else self.title


class MessageSettings(Section):
    """One message that steps can send by its name."""

    tag: Annotated[str, AfterValidator(_tag), WithJsonSchema({"type": "string", "enum": list(TAGS)})] = Field(
        "order_update",
        description="What the message is for: " + "; ".join(f"{tag}: {use}" for tag, use in TAGS.items()) + ".",
    )
    text: Text = Field(
        description="A template file under the templates directory, by its name that ends in .j2, "
        "or the text itself, as a Jinja template.",
        examples=["order_confirmation.txt.j2", "{{ order.name }} is confirmed."],
    )
    limit: (
        Annotated[
            Limit,
            BeforeValidator(_limit),
            PlainSerializer(str, return_type=str, when_used="json"),
            WithJsonSchema(text_schema(_LIMIT_PATTERN, _LIMIT_WORDS, ["1/day", "3/week", "2/hour"])),
        ]
        | None
    ) = Field(
        None,
        description="How many messages of this tag a shopper gets per hour, day or week outside Messenger's "
        "standard window: 1/day. Without one there is no limit.",
    )
    on_limit: Literal["hold", "drop"] = Field(
        "hold",
        description="What becomes of a message over the limit: hold keeps it, drop gives it up.",
    )
    quick_replies: Literal["orders"] | Annotated[tuple[QuickReplySettings, ...], Field(max_length=13)] = Field(
        (),
        description="Buttons below the text, 13 at most; orders: one for each order that `find_orders` found. They go "
        "with texts inside Messenger's standard window only.",
    )
    utility_template: UtilityTemplateSettings | Literal["none"] | None = Field(
        None,
        description="The approved template to use outside Messenger's standard window. Without one such a "
        "message is held or dropped, of which `shopbot check` warns; none: that is meant.",
    )
