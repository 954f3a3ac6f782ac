"""Holds what came of an event against what the test expects."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.model.cart import CartResult
from shopbot.model.message import Delivery, OutboundMessage
from shopbot.model.outcome import JournalEntry, Status
from shopbot.model.psid import mask
from shopbot.trials.difference import difference, hint, visible
from shopbot.trials.report import Failure
from shopbot.trials.scripts import Script
from shopbot.trials.settings import MessageExpected
from shopbot.trials.stage import Observation
from shopbot.trials.values import DONE, DUPLICATE
from shopbot.trials.wording import Words

_CART_COUNTS = (CartResult.KEPT, CartResult.CLEARED, CartResult.ALREADY_EMPTY)
"""Of several answers the first of these counts."""


class Verdict:
    """Finds what is not as one test expects it."""

    def __init__(self, document: Document, script: Script, observation: Observation, words: Words) -> None:
        self._document = document
        self._script = script
        self._expected = script.trial.expect
        self._seen = observation
        self._words = words
        self._path: KeyPath = (*script.path, "expect")

    def failures(self) -> Sequence[Failure]:
        """Give everything that is not as expected, in the order of the keys."""
        return [*self._messages(), *self._silence(), *self._state()]

    def _messages(self) -> Iterator[Failure]:
        expected = self._expected.all_messages
        if not expected:
            return
        for number, (wanted, sent) in enumerate(zip_longest(expected, self._seen.sent)):
            path = self._message_path(number)
            which = "the message" if len(expected) == 1 else f"message {number + 1}"
            if sent is None:
                yield self._failure(path, f"{which} was not sent: {self._why_silent()}")
            elif wanted is None:
                yield self._failure(path, "another message was sent, which is not expected", self._shown(sent))
            else:
                yield from self._message(path, which, wanted, sent)

    def _message_path(self, number: int) -> KeyPath:
        if self._expected.message is not None:
            return (*self._path, "message")
        last = len(self._expected.messages or ()) - 1
        return (*self._path, "messages", number) if number <= last else (*self._path, "messages")

    def _message(self, path: KeyPath, which: str, wanted: MessageExpected, sent: OutboundMessage) -> Iterator[Failure]:
        to = wanted.to or self._script.occurrence.shopper
        if sent.psid != to:
            yield self._failure((*path, "to"), f"{which} went to {mask(sent.psid)} and not to {mask(to)}")
        if wanted.delivery is not None and sent.delivery != wanted.delivery:
            yield self._failure((*path, "delivery"), f"{which} was sent as {sent.delivery}, not as {wanted.delivery}")
        locale = sent.template.language if sent.delivery is Delivery.UTILITY and sent.template else sent.locale
        if wanted.locale is not None and _tag(wanted.locale) != _tag(locale or ""):
            yield self._failure((*path, "locale"), f"the language of {which} is {locale}, not {wanted.locale}")
        yield from self._text(path, which, wanted, sent)
        if wanted.quick_replies is not None:
            titles = [reply.title for reply in sent.quick_replies] if sent.delivery is not Delivery.UTILITY else []
            if titles != list(wanted.quick_replies):
                diff = difference("\n".join(wanted.quick_replies), "\n".join(titles))
                yield self._failure((*path, "quick_replies"), f"the quick replies of {which} are others", diff)
        yield from self._template(path, which, wanted, sent)

    def _text(self, path: KeyPath, which: str, wanted: MessageExpected, sent: OutboundMessage) -> Iterator[Failure]:
        wishes = (wanted.text, wanted.contains, wanted.lacks, wanted.matches)
        if all(wish is None for wish in wishes):
            return
        text = self._words.of(sent)
        if text is None:
            key = next(key for key in ("text", "contains", "lacks", "matches") if getattr(wanted, key) is not None)
            why = "the words of its utility template stand at Meta alone; give them as `body:`, or expect `template:`"
            yield self._failure((*path, key), f"nobody can say what the text of {which} is: {why}")
            return
        if wanted.text is not None and wanted.text.rstrip("\n") != text:
            exact = wanted.text.rstrip("\n")
            yield self._failure(
                (*path, "text"), f"the text of {which} is another{hint(exact, text)}", difference(exact, text)
            )
        for key, present in (("contains", True), ("lacks", False)):
            for index, part in enumerate(getattr(wanted, key) or ()):
                if (part.rstrip("\n") in text) is not present:
                    what = "does not contain" if present else "contains"
                    place = (*path, key, index) if self._is_list((*path, key)) else (*path, key)
                    yield self._failure(place, f"the text of {which} {what} {part!r}", self._shown(sent))
        if wanted.matches is not None and re.search(wanted.matches, text, re.MULTILINE) is None:
            message = f"the text of {which} does not match {wanted.matches!r}"
            yield self._failure((*path, "matches"), message, self._shown(sent))

    def _template(self, path: KeyPath, which: str, wanted: MessageExpected, sent: OutboundMessage) -> Iterator[Failure]:
        if wanted.template is None:
            return
        if sent.delivery is not Delivery.UTILITY or sent.template is None:
            yield self._failure((*path, "template"), f"{which} was sent as {sent.delivery}, without a utility template")
            return
        for key in ("name", "language", "parameters"):
            wish, value = getattr(wanted.template, key), getattr(sent.template, key)
            if wish is not None and wish != value:
                shown = list(value) if key == "parameters" else value
                diff = difference("\n".join(wish), "\n".join(value)) if key == "parameters" else ()
                yield self._failure((*path, "template", key), f"the {key} of the template: got {shown}", diff)

    def _silence(self) -> Iterator[Failure]:
        wanted = self._expected.silence
        if wanted is None:
            return
        path = (*self._path, "silence")
        for sent in self._seen.sent:
            how = f"a message was sent as {sent.delivery}, and none is expected"
            yield self._failure(path, how, self._shown(sent))
        if self._seen.sent:
            return
        reasons = self._reasons()
        if isinstance(wanted, str):
            if wanted not in reasons.values():
                yield self._failure(path, f"silence as expected, but not for {wanted}: {self._why_silent()}")
            return
        for rule, reason in wanted.items():
            got = reasons.get(rule, DUPLICATE if self._seen.record is None else "the rule does not look at this event")
            if got != reason:
                yield self._failure((*path, rule), f"the rule {rule} was silent, but not for {reason}: {got}")

    def _reasons(self) -> Mapping[str, str]:
        """Give why each rule sent nothing; "" stands for the event as a whole."""
        record = self._seen.record
        if record is None:
            return {"": DUPLICATE}
        # The last attempt is what counts.
        return {entry.rule: _reason(entry) for entry in record.journal if not entry.step}

    def _why_silent(self) -> str:
        """Say in words why nothing was sent."""
        record = self._seen.record
        if record is None:
            return f"{DUPLICATE}, the same delivery came before"
        lines = {entry.rule: entry for entry in record.journal if not entry.step}
        told = [
            f"{f'{rule}: ' if rule else ''}{_reason(entry)}{f' ({entry.detail})' if entry.detail else ''}"
            for rule, entry in lines.items()
        ]
        return "; ".join(told) or "the event has not been worked on"

    def _state(self) -> Iterator[Failure]:
        expected, seen = self._expected, self._seen
        facts: Sequence[tuple[str, object, object]] = (
            ("cart", expected.cart, self._cart()),
            ("reference", expected.reference, seen.reference),
            ("dead_letter", expected.dead_letter, self._dead_letter()),
            ("opted_out", expected.opted_out, seen.opted_out),
        )
        for key, wanted, got in facts:
            if wanted is not None and wanted != got:
                yield self._failure((*self._path, key), f"{key}: expected {_word(wanted)}, got {_word(got)}")
        for name, wanted_calls in (expected.calls or {}).items():
            if seen.calls[name] != wanted_calls:
                message = f"{name}: expected {_times(wanted_calls)}, got {_times(seen.calls[name])}"
                yield self._failure((*self._path, "calls", name), message)

    def _cart(self) -> str:
        """Sum up what the cart backends said, each by its last answer."""
        journal = self._seen.record.journal if self._seen.record else ()
        answers = {(entry.rule, entry.plugin): entry for entry in journal if entry.step.endswith(":clear_cart")}
        asked = [entry for entry in answers.values() if entry.plugin]
        if any(entry.status is not Status.DONE for entry in asked):
            return "failed"
        results = {entry.detail for entry in asked}
        return next((result.value for result in _CART_COUNTS if result.value in results), "untouched")

    def _dead_letter(self) -> str:
        record = self._seen.record
        return record.reason if record is not None and record.status == Status.FAILED else "none"

    def _shown(self, sent: OutboundMessage) -> Sequence[str]:
        """Give what was sent, to be looked at, in the form of a diff's unchanged lines."""
        template = sent.template
        text = self._words.of(sent)
        if text is None and template is not None:
            text = f"the template {template.name} ({template.language}) with {list(template.parameters)}"
        return [visible(f" {line}") for line in (text or "").split("\n")]

    def _is_list(self, path: KeyPath) -> bool:
        """Say whether a list stands at a place where a single value may stand, too."""
        return self._document.scalar(path) is None

    def _failure(self, path: KeyPath, message: str, diff: Sequence[str] = ()) -> Failure:
        place = self._document.position_of_key(path)
        return Failure(line=place.line, column=place.column, message=message, diff=tuple(diff))


def _reason(entry: JournalEntry) -> str:
    if entry.reason is not None:
        return entry.reason.value
    return DONE if entry.status is Status.DONE else entry.status.value


def _tag(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _times(count: int) -> str:
    return "no call" if count == 0 else "1 call" if count == 1 else f"{count} calls"
