"""The tests of a file, ready to be played: every event made, every name looked up, every mistake found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shopbot.config.document import Document
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem, suggest
from shopbot.hooks import PluginInstance
from shopbot.host.blueprint import Blueprint
from shopbot.model.request import Origin
from shopbot.trials import links
from shopbot.trials.occurrences import Occurrence, Occurrences
from shopbot.trials.overrides import Overrides
from shopbot.trials.settings import FIRST_MOMENT, SHOPPER, EarlierHappening, Given, Happening, Trial, TrialFile
from shopbot.trials.stand_ins import Part, fits, part_of, possible_answers

_TICK = timedelta(milliseconds=1)
"""No two things happen at the same moment: what comes first is first."""


@dataclass(frozen=True, slots=True)
class Script:
    """One test, ready to be played."""

    trial: Trial
    path: KeyPath
    """Where it stands in the file."""
    given: Given
    """With what the file says for all tests."""
    shopper: str
    earlier: Sequence[Occurrence]
    occurrence: Occurrence
    """The event under test."""
    token: links.SignedToken | None
    """Of the checkout link that the order comes from."""

    @property
    def begins_at(self) -> datetime:
        """Give when the first thing happens, in UTC."""
        return (*self.earlier, self.occurrence)[0].at

    @property
    def ends_at(self) -> datetime:
        """Give when the outcome is looked at, in UTC."""
        return self.occurrence.at + self.trial.wait


class Scripts:
    """Makes scripts of tests, and collects what is wrong with them."""

    def __init__(
        self, document: Document, blueprint: Blueprint, instances: Sequence[PluginInstance], directory: Path
    ) -> None:
        """Prepare.

        instances: the plugins of the shop.
        directory: where the test file is.
        """
        self._document = document
        self._blueprint = blueprint
        self._instances = instances
        self._directory = directory
        self._overrides = Overrides(document)
        channels = [one.channel for one in instances if one.section == "senders"]
        pages = [name.removeprefix("messenger:") for name in channels if name.startswith("messenger:")]
        self._page_id = pages[0] if pages else ""
        self._found: list[Problem] = []

    @property
    def problems(self) -> list[Problem]:
        """Give what is wrong with the scripts made so far."""
        return [*self._found, *self._overrides.problems]

    def of(self, file: TrialFile) -> Sequence[Script]:
        """Make the scripts of all tests; they are good for nothing when there are problems."""
        self._check_given(file.given, ("given",))
        scripts = [self._script(file.given, trial, ("tests", index)) for index, trial in enumerate(file.tests)]
        return [script for script in scripts if script is not None]

    def _script(self, defaults: Given, trial: Trial, path: KeyPath) -> Script | None:
        given = trial.given.over(defaults)
        shopper = given.shopper or SHOPPER
        at = given.at or FIRST_MOMENT
        zone = self._blueprint.shop.timezone
        at = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
        self._check_given(trial.given, (*path, "given"))
        self._check_expected(trial, given, path)
        token = self._token(given, shopper, at, path)
        occurrences = Occurrences(
            self._document,
            self._blueprint,
            self._overrides,
            self._directory,
            shopper=shopper,
            page_id=self._page_id,
            token=token.text if token else None,
        )
        made = [occurrences.make(happening, place, moment) for happening, place, moment in _in_time(trial, path, at)]
        self._found += occurrences.problems
        *earlier, occurrence = made
        if occurrence is None or None in earlier:
            return None
        if given.checkout is not None and not isinstance(occurrence.body.get("checkout_token"), str):
            place = (*path, "event")
            self._problem(place, f"`checkout: {given.checkout}` needs an event with a 'checkout_token', as orders have")
            return None
        return Script(trial, path, given, shopper, [one for one in earlier if one is not None], occurrence, token)

    def _token(self, given: Given, shopper: str, at: datetime, path: KeyPath) -> links.SignedToken | None:
        if given.checkout != "signed":
            return None
        if not self._blueprint.settings.checkout_tokens.keys:
            self._problem(
                (*path, "given", "checkout"), "the shop signs no checkout links: `checkout_tokens.keys` is empty"
            )
            return None
        return links.sign(self._blueprint.settings, self._page_id, shopper, at)

    def _check_given(self, given: Given, path: KeyPath) -> None:
        if given.window in ("open", "closed") and not self._blueprint.hooks.judges(Origin.MESSENGER):
            why = "no entry of `verify:` takes Messenger's webhooks, so the shop can know of no messaging window"
            self._problem((*path, "window"), f"{why}; what Messenger itself says is `platform:`")
        for name, answer in (given.plugins or {}).items():
            place = (*path, "plugins", name)
            instances = [instance for instance in self._instances if instance.name == name]
            if not instances:
                self._unknown_plugin(name, place)
            elif not any(fits(instance, answer) for instance in instances):
                possible = possible_answers(instances)
                known = f"; possible: {', '.join(possible)}" if possible else ": no test can answer in its place"
                self._problem(place, f"'{answer}' is no answer of {name}{suggest(answer, possible) or known}")

    def _check_expected(self, trial: Trial, given: Given, path: KeyPath) -> None:
        expected = trial.expect
        rules = [rule.name for rule in self._blueprint.rules]
        for name in expected.silence if isinstance(expected.silence, Mapping) else ():
            if name not in rules:
                known = suggest(name, rules) or f"; there are: {', '.join(rules) or 'none'}"
                self._problem((*path, "expect", "silence", name), f"there is no rule named '{name}'{known}", key=True)
        for name in expected.calls or ():
            place = (*path, "expect", "calls", name)
            instances = [instance for instance in self._instances if instance.name == name]
            if not instances:
                self._unknown_plugin(name, place)
            elif not any(part_of(one, given.plugins or {}) is Part.STAND_IN for one in instances):
                how = "; answer for it under `plugins:`" if possible_answers(instances) else ""
                why = f"'{name}' itself is at work, and its calls are not counted{how}"
                self._problem(place, why, key=True)

    def _unknown_plugin(self, name: str, path: KeyPath) -> None:
        names = list(dict.fromkeys(instance.name for instance in self._instances))
        known = suggest(name, names) or f"; there are: {', '.join(names) or 'none'}"
        self._problem(path, f"the shop uses no plugin named '{name}'{known}", key=True)

    def _problem(self, path: KeyPath, message: str, *, key: bool = False) -> None:
        """Note a problem of the value at a place, or of its key."""
        place = self._document.position_of_key(path) if key else self._document.position(path)
        self._found.append(self._document.problem(place, message))


def _in_time(trial: Trial, path: KeyPath, at: datetime) -> Iterator[tuple[Happening, KeyPath, datetime]]:
    """Give what happens with its place in the file and its time, one after the other."""
    things: list[tuple[Happening, KeyPath]] = [
        *((one, (*path, "earlier", number)) for number, one in enumerate(trial.earlier)),
        (trial.event, (*path, "event")),
    ]
    last: datetime | None = None
    for happening, place in things:
        moment = at - happening.before if isinstance(happening, EarlierHappening) else at
        last = moment if last is None or moment > last else last + _TICK
        yield happening, place, last
