"""A model's complaints about data from a file, as problems at their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shopbot.config import fields
from shopbot.config.document import Document, quotes_text
from shopbot.config.nodes import KeyPath, label
from shopbot.config.problem import Problem, quote, suggest
from shopbot.config.scalars import kind
from shopbot.config.wording import Wording, show, show_bare, word

Model = TypeVar("Model", bound=BaseModel)

_TELLING_RUN = 8  # characters of a secret in a row that would give it away
_REFUSED = "this value is refused; the reason is not shown because it repeats a secret"


def validate(model: type[Model], document: Document, path: KeyPath, data: object) -> tuple[Model | None, list[Problem]]:
    """Check *data*, which stands at *path* in *document*, and give the instance or all problems.

    The problems are sorted and distinct, and no value in them comes from the environment or stands where the
    model wants a secret. What the document's own problems cover already is not repeated; a caller must
    therefore not use an instance while `document.problems` has errors.

    Raises what a validator of the model raises besides `ValueError` and `AssertionError`.
    """
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    judge = _Judge(model, document, path, data)
    faults = [judge.locate(detail) for detail in details]
    problems = {judge.problem(fault) for fault in _settle(faults) if not document.is_broken((*path, *fault.path))}
    return None, sorted(problems)


@dataclass(frozen=True)
class _Fault:
    path: KeyPath
    """Where in the data, as far as it exists."""
    kind: str
    missing: str
    """The key that is missing at `path`."""
    branches: tuple[tuple[int, str], ...]
    """For each union around it, from outside: the length of the path to it, and which of its types complained."""
    wording: Wording


def _settle(faults: Sequence[_Fault], depth: int = 0) -> list[_Fault]:
    """Reduce the complaints of all types of a union to those that help.

    depth: how many unions around the faults are settled.
    """
    faults = [fault for fault in faults if not _counts_only_the_valid(fault, faults)]
    settled: list[_Fault] = []
    unions: dict[KeyPath, dict[str, list[_Fault]]] = {}
    for fault in faults:
        if len(fault.branches) <= depth:
            settled.append(fault)
            continue
        length, branch = fault.branches[depth]
        unions.setdefault(fault.path[:length], {}).setdefault(branch, []).append(fault)
    for place, branches in unions.items():
        fitting = [group for group in branches.values() if not _only_the_type(group, place)]
        if fitting:
            fewest: list[_Fault] = min((_settle(group, depth + 1) for group in fitting), key=len)
            settled += fewest
            continue
        wordings = [group[0].wording for group in branches.values()]
        wanted = " or ".join(dict.fromkeys(wording.expected for wording in wordings))
        texts = [wording for wording in wordings if wording.wants_text]
        # Where any text will do, there is nothing to choose from.
        choices = [choice for wording in texts for choice in wording.choices] if all(w.choices for w in texts) else ()
        united = Wording(wanted, wants_text=bool(texts), choices=tuple(choices))
        settled.append(_Fault(place, "union", "", (), united))
    return settled


def _counts_only_the_valid(fault: _Fault, faults: Sequence[_Fault]) -> bool:
    """Say whether pydantic calls a list too short only because it left out the entries that are wrong."""
    below, inside = len(fault.path), len(fault.branches)
    return fault.kind == "too_short" and any(
        other is not fault and other.path[:below] == fault.path and other.branches[:inside] == fault.branches
        for other in faults
    )


def _only_the_type(group: list[_Fault], place: KeyPath) -> bool:
    return all(fault.path == place and fault.wording.about_type for fault in group)


@dataclass(frozen=True)
class _Judge:
    model: type[BaseModel]
    document: Document
    base: KeyPath
    data: object

    def locate(self, error: ErrorDetails) -> _Fault:
        """Follow pydantic's path through the data; the rest of it names a missing key or a union's type."""
        current = self.data
        path: KeyPath = ()
        strays: list[tuple[int, str]] = []
        for part in error["loc"]:
            following = _step(current, part)
            if following is None:
                if isinstance(part, str):
                    strays.append((len(path), part))
                continue
            path, current = (*path, part), following[0]
        missing = ""
        if error["type"] == "missing" and strays:
            missing = strays.pop()[1]
        strays = [stray for stray in strays if stray[1] != "[key]"]
        kind = "key" if error["loc"][-1:] == ("[key]",) else error["type"]
        return _Fault(path, kind, missing, tuple(strays), word(error))

    def problem(self, fault: _Fault) -> Problem:
        path = (*self.base, *fault.path)
        if fault.missing:
            message = f"{label(path)} has no {quote(fault.missing)}"
            return self.document.problem(self.document.position_of_key(path), message)
        if fault.kind == "extra_forbidden":
            return self.document.problem(self.document.position_of_key(path), self.unknown(fault.path))
        if fault.kind == "key":
            wanted = f"expected {fault.wording.expected}" if fault.wording.expected else fault.wording.message
            message = f"{label(path[:-1])}: {wanted}, got {quote(str(path[-1]))}"
            return self.document.problem(self.document.position_of_key(path), message)
        return self.document.problem(self.document.position(path), f"{label(path)}: {self.sentence(fault)}")

    def unknown(self, path: KeyPath) -> str:
        key = str(path[-1])
        known = [name for name in fields.known_keys(self.model, path[:-1]) if name != key]
        hint = suggest(key, known) or (f"; known here: {', '.join(known)}" if known else "")
        return f"unknown key {quote(key)}{hint}"

    def sentence(self, fault: _Fault) -> str:
        wording = fault.wording
        if not wording.expected:
            return _REFUSED if self.tells(wording.message, fault.path) else wording.message
        hint = "" if self.hides(fault.path) else wording.hint  # a hint may be made from the value
        got = f", got {self.given(fault)}" if wording.got else ""
        return f"expected {wording.expected}{got}{hint}"

    def hides(self, path: KeyPath) -> bool:
        """Say whether the value at *path* must not be shown."""
        return (*self.base, *path) in self.document.origins or fields.is_secret(self.model, path)

    def given(self, fault: _Fault) -> str:
        """Name the value at the fault as far as it may be shown, and what led to it."""
        path = (*self.base, *fault.path)
        value = _value(self.data, fault.path)
        written = self.document.scalar(path)
        if names := self.document.origins.get(path):
            return "the value of " + " and ".join(f"${{{name}}}" for name in names)
        if fields.is_secret(self.model, fault.path):
            bare = written is not None and written.plain and not isinstance(value, str | None)
            return kind(value).replace("the ", "a ") + ("; put it in quotes" if bare else "")
        if written and written.plain and not isinstance(value, str):
            return show_bare(written.source, value, quotes=fault.wording.takes(written.source))
        if isinstance(value, list) and fault.wording.counts:
            return str(len(value) or "none")
        return show(value) + (fault.wording.correction(value) if isinstance(value, str) else "")

    def tells(self, message: str, path: KeyPath) -> bool:
        """Say whether a validator's own words repeat a secret, or a good part of the one they are about."""
        return (
            self.document.quotes_secret(message)
            or any(quotes_text(message, secret) for secret in fields.secret_texts(self.model, self.data))
            or any(_shares_a_run(message, text) for text in self.hidden_at(path))
        )

    def hidden_at(self, path: KeyPath) -> list[str]:
        """Give the texts at *path* and below that must not be shown."""
        place = (*self.base, *path)
        sources = [origin for origin in self.document.origins if origin[: len(place)] == place]
        texts = [str(_value(self.data, origin[len(self.base) :])) for origin in sources]
        if fields.is_secret(self.model, path):
            texts += _leaves(_value(self.data, path))
        return texts


def _step(current: object, part: str | int) -> tuple[object] | None:
    """Give what stands at *part* of *current*, in a tuple as it may be None; None if there is nothing."""
    if isinstance(current, Mapping) and part in current:
        return (current[part],)
    if isinstance(current, list) and isinstance(part, int) and 0 <= part < len(current):
        return (current[part],)
    return None


def _value(data: object, path: KeyPath) -> object:
    for part in path:
        following = _step(data, part)
        if following is None:
            return None
        data = following[0]
    return data


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [str(value)]


def _shares_a_run(message: str, secret: str) -> bool:
    run = SequenceMatcher(None, message, secret, autojunk=False).find_longest_match()
    return run.size >= _TELLING_RUN
