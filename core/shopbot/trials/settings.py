"""The whole of a test file as immutable values: what is given, what happens, what must come of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import InitErrorDetails

from shopbot.config.duration import Duration
from shopbot.config.expected import expected
from shopbot.config.section import InTurn, Name, OneOrMany, Section, Text, names_differ
from shopbot.trials.values import Moment, Pattern, PlatformAnswer, Psid, ReasonCode, Silence, Topic, WholeNumber, YesNo

FIRST_MOMENT = datetime(2026, 2, 5, 10, 30)  # noqa: DTZ001 - in the shop's time zone, whatever it is
"""When the event under test happens unless the test says otherwise: a Thursday."""

SHOPPER = "7312345678901234"
FIRST_NUMBER = 1234

_WAYS: Mapping[str, frozenset[str]] = {
    "sample": frozenset({"topic", "set", "order", "polled"}),
    "file": frozenset({"topic", "set", "polled"}),
    "body": frozenset({"topic", "set", "polled"}),
    "says": frozenset(),
    "taps": frozenset({"title"}),
    "presses": frozenset({"title"}),
    "follows": frozenset(),
}
"""The ways in which something can happen, with the keys that may stand beside each."""

_LONGEST_WAIT = timedelta(days=30)


class Said(Section):
    """A part of a test file in which every key that is there says something.

    A key with nothing behind it would be left out of the comparison, and nobody would notice.
    """

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_left_empty(cls, value: object) -> object:
        what = expected("a value", "; without one, leave the key out", text=False)
        errors = [
            InitErrorDetails(type=what, loc=(key,), input=None)
            for key, content in (value.items() if isinstance(value, dict) else ())
            if content is None and key in cls.model_fields
        ]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors, hide_input=True)
        return value


class CartGiven(Said):
    """A cart that the bot keeps for the shopper in the store."""

    changed: Duration = Field(
        timedelta(minutes=5), description="How long before the first event it was changed; 0s: after the order."
    )


class Given(Said):
    """What is so before anything happens. In the file's own `given:` it is so for every test."""

    at: Moment | None = Field(
        None,
        description="When the event under test happens; in the shop's time zone unless an offset is given. Without "
        f"one: {FIRST_MOMENT:%Y-%m-%d %H:%M}.",
    )
    shopper: Psid | None = Field(None, description=f"The shopper's PSID. Without one: {SHOPPER}.")
    window: Literal["open", "closed", "unknown"] | None = Field(
        None,
        description="What the shop knows of the shopper's messaging window: open: they were active a minute before "
        "whatever happens; closed: their last act is too long ago; unknown: nothing, which is the default.",
    )
    cart: YesNo | CartGiven | None = Field(None, description="Whether the store has a cart of the shopper's.")
    checkout: Literal["noted", "signed"] | None = Field(
        None,
        description="noted: the store leads from the order's checkout token to the shopper; signed: the order comes "
        "from a checkout link of shopbot's, with its signed token in the cart attribute.",
    )
    opted_out: YesNo | None = Field(None, description="Whether the shopper asked to get no more messages.")
    platform: InTurn[PlatformAnswer] | None = Field(
        None,
        description="What the platform says to the messages that it is offered, one answer after the other, the last "
        "one for all others: ok, outside_window, refused, retry, rate_limited, down or in_doubt.",
    )
    plugins: dict[Text, Text] | None = Field(
        None,
        description="Answers in the place of plugins, by the name under `use:`. Of a cart: cleared, already_empty, "
        "kept or retry; of a step: done, failed or retry; of a resolver: a PSID, which is trusted, nobody or retry; of "
        "a sender: passes.",
    )
    store: dict[Text, str] | None = Field(
        None, description="More keys that the store has, with their texts: what the shop's own plugins read."
    )

    def over(self, defaults: "Given") -> "Given":
        """Give these facts, with those of the file where nothing is said."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("plugins", "store"):
            changes[name] = {**(getattr(defaults, name) or {}), **(getattr(self, name) or {})}
        return defaults.model_copy(update=changes)


class Happening(Said):
    """One thing that happens: a webhook of Shopify's, an order that a poller finds, or what a shopper does."""

    sample: Text | None = Field(None, description="A webhook that comes with shopbot, by its name: paid_order.")
    file: Text | None = Field(None, description="A webhook's body in a JSON file, from this file's directory.")
    body: dict[str, Any] | None = Field(None, description="A webhook's body itself.")
    says: Text | None = Field(None, description="What the shopper writes in Messenger.")
    taps: Text | None = Field(None, description="The payload of the quick reply that the shopper taps: ORDER_STATUS.")
    presses: Text | None = Field(None, description="The payload of the button that the shopper presses.")
    follows: Text | None = Field(None, description="The `ref` of the m.me link that the shopper follows.")
    topic: Topic | None = Field(None, description="The webhook's topic; a sample has its own.")
    set: dict[str, Any] | None = Field(
        None,
        description="What is different in the body: financial_status: pending. Mappings are joined; a list takes the "
        "place of the other. `note_attributes:` takes names and values, with nothing for what is to be left out; "
        "`line_items:` the lines of which all sums are made.",
    )
    order: Annotated[WholeNumber, Field(ge=1, le=10_000_000)] | None = Field(
        None,
        description="The number of the order that a sample is about; the same number is the same order. Without one: "
        f"{FIRST_NUMBER}.",
    )
    polled: YesNo = Field(default=False, description="Whether a poller finds the order, and no webhook tells of it.")
    id: Text | None = Field(
        None, description="The delivery's own id. The same id again is the same delivery again, and is dropped."
    )
    shopper: Psid | None = Field(None, description="Who does it, or whose order it is, if not the test's shopper.")
    title: Text | None = Field(None, description="What stood on the quick reply or button.")

    @model_validator(mode="after")
    def _happens_in_one_way(self) -> Self:
        ways = [way for way in _WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            what = f"one of {', '.join(_WAYS)}"
            raise expected(what, f", not both {' and '.join(ways)}" if ways else "", text=False, got=False)
        [way] = ways
        own = {"topic", "set", "order", "polled", "title"}
        strays = sorted(key for key in own - _WAYS[way] if getattr(self, key) not in (None, False))
        if strays:
            raise expected(f"no '{strays[0]}' beside '{way}'", text=False, got=False)
        if self.polled and self.topic is not None:
            raise expected("no 'topic' beside 'polled': polled orders count as orders/updated", text=False, got=False)
        if self.polled and self.id is not None:
            raise expected("no 'id' beside 'polled': an order and its `updated_at` are one", text=False, got=False)
        if way in ("file", "body") and self.topic is None and not self.polled:
            raise expected(f"a 'topic' beside '{way}', such as orders/paid", text=False, got=False)
        return self


class EarlierHappening(Happening):
    """Something that happens before the event under test. What comes of it is not looked at."""

    before: Duration = Field(timedelta(minutes=1), description="How long before the event under test it happens.")


class TemplateExpected(Said):
    """The utility template that must be sent."""

    name: Text | None = Field(None, description="Its name.")
    language: Text | None = Field(None, description="Its language: en_US.")
    parameters: tuple[str, ...] | None = Field(None, description="The values of its placeholders, in their order.")


class MessageExpected(Said):
    """A message that must be sent. What is not given may be anything."""

    text: str | None = Field(
        None, description="The whole text as the shopper reads it; line ends after it do not count."
    )
    contains: OneOrMany[Text] | None = Field(None, description="What must stand in the text.")
    lacks: OneOrMany[Text] | None = Field(None, description="What must not stand in the text.")
    matches: Pattern | None = Field(
        None, description="A regular expression that must be found in the text; ^ and $ are ends of lines."
    )
    delivery: Literal["RESPONSE", "UPDATE", "UTILITY"] | None = Field(
        None, description="How it is sent: RESPONSE, UPDATE, or UTILITY: the approved template."
    )
    locale: Text | None = Field(None, description="The language of the text or of the template: de, pt-BR.")
    to: Psid | None = Field(None, description="Who gets it, if not the shopper of the event.")
    quick_replies: tuple[str, ...] | None = Field(None, description="The titles of the quick replies, all of them.")
    template: TemplateExpected | None = Field(None, description="The utility template, where it is sent as one.")


class Expected(Said):
    """What must come of the event under test, by the end of `wait`."""

    message: MessageExpected | None = Field(None, description="The only message that is sent.")
    messages: Annotated[tuple[MessageExpected, ...], Field(min_length=1)] | None = Field(
        None, description="All messages that are sent, in their order."
    )
    silence: Silence | dict[Name, Silence] | None = Field(
        None,
        description="That no message is sent, and why: the reason code of a rule, or the codes of several rules by "
        "their names. DUPLICATE: the delivery came before; DONE: a rule did its work without sending anything.",
    )
    cart: Literal["cleared", "already_empty", "kept", "failed", "untouched"] | None = Field(
        None,
        description="What the cart backends said; of several answers failed counts before kept, cleared and "
        "already_empty. untouched: none was asked.",
    )
    reference: Literal["saved", "confirmed", "unresolved", "none"] | None = Field(
        None,
        description="What is kept of the event's order: saved; confirmed: with the mark that the message is out; "
        "unresolved: without a shopper.",
    )
    dead_letter: ReasonCode | Literal["none"] | None = Field(
        None, description="That the event is a dead letter, with its reason code; none: that it is not."
    )
    opted_out: YesNo | None = Field(None, description="Whether the shopper now gets no more messages.")
    calls: dict[Text, Annotated[WholeNumber, Field(ge=0)]] | None = Field(
        None, description="How often plugins were called in whose place the test answers, by the name under `use:`."
    )

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        ways = [way for way in ("message", "messages", "silence") if getattr(self, way) is not None]
        if len(ways) > 1:
            raise expected(f"either '{ways[0]}' or '{ways[1]}'", ", not both", text=False, got=False)
        if not self.model_fields_set:
            raise expected("what must come of it: 'message', 'silence' or another key", text=False, got=False)
        return self

    @property
    def all_messages(self) -> tuple[MessageExpected, ...] | None:
        """Give all messages that must be sent; None where it does not matter."""
        if self.silence is not None:
            return ()
        return (self.message,) if self.message is not None else self.messages


def _no_longer_than_a_month(value: timedelta) -> timedelta:
    if value > _LONGEST_WAIT:
        raise expected("at most 30d", text=False, got=False)
    return value


class Trial(Said):
    """One test."""

    name: Text = Field(description="What must be so, in a sentence.")
    given: Given = Field(Given(), description="What is so before anything happens.")
    earlier: tuple[EarlierHappening, ...] = Field((), description="What happens before, in this order.")
    event: Happening = Field(description="The event under test.")
    wait: Annotated[Duration, AfterValidator(_no_longer_than_a_month)] = Field(
        timedelta(0),
        description="How long after the event its outcome is looked at; what is tried again meanwhile is tried.",
    )
    expect: Expected = Field(description="What must come of it.")

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        times = [one.before for one in self.earlier]
        if times != sorted(times, reverse=True):
            raise expected("'earlier' in the order in which it happens: the longest 'before' first", got=False)
        return self


class TrialFile(Said):
    """Everything that a test file can say."""

    given: Given = Field(Given(), description="What is so in every test, unless the test says otherwise.")
    tests: Annotated[tuple[Trial, ...], Field(min_length=1), names_differ("tests")] = Field(
        description="The tests. Each begins with an empty store."
    )
