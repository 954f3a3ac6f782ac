"""One reload of one shop: a transaction that puts the new version in place, or leaves everything as it is.

Each step waits for the one before, and the old version works all the while:

1. rehearse: the new version is checked and its tests are run, in a process of their own;
2. prepare: new worker processes load it, reach the store and start its plugins, and wait;
3. change: once all of them are prepared they begin to serve and to work;
4. hand over: once all of them serve, those of the old version begin nothing new. From here on there is no way back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from shopbot.config.snapshot import Snapshot
from shopbot.host.generation import Generation
from shopbot.host.log_masks import masked
from shopbot.host.rehearsal import Rehearsal, RehearsalAnswer


class Step(StrEnum):
    """What a reload is doing."""

    REHEARSE = "rehearse"
    PREPARE = "prepare"
    CHANGE = "change"
    HAND_OVER = "hand_over"
    DONE = "done"
    REFUSED = "refused"


_LEAVING_SECONDS = 10.0
"""A process that does not say by then that it begins nothing new is busy, or the store is away: it will."""
_UNDER_WAY = {
    Step.REHEARSE: "the check and the tests have not ended",
    Step.PREPARE: "the new worker processes are not prepared (a plugin's start that hangs?)",
    Step.CHANGE: "the new worker processes do not answer requests",
}


@dataclass(slots=True)
class Reload:
    """A version on its way. `look` again and again until `step` is DONE or REFUSED."""

    snapshot: Snapshot
    """The new version."""
    state: str
    """Of the sources that it was made of."""
    rehearsal: Rehearsal
    prepare: Callable[[], Generation]
    """Starts the processes of the new version."""
    replace: Callable[[Generation], Generation]
    """Puts them in the place of the processes that work, and gives those, which leave."""
    limit_seconds: float
    step: Step = Step.REHEARSE
    answer: RehearsalAnswer = field(default_factory=RehearsalAnswer)
    """What the rehearsal gave."""
    problems: tuple[str, ...] = ()
    """Why it is refused."""
    generation: Generation | None = None
    """The processes of the new version, once there are any."""
    _leaving: Generation | None = None
    _leaving_until: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self._started

    def look(self) -> Step:
        """Take the next step, if it is time for it. Never waits."""
        if self.step is Step.REHEARSE:
            self._rehearse()
        elif self.step is Step.PREPARE:
            self._prepare()
        elif self.step is Step.CHANGE:
            self._change()
        elif self.step is Step.HAND_OVER:
            self._hand_over()
        if self.step in _UNDER_WAY and self.seconds > self.limit_seconds:
            self._refuse(f"given up after {self.limit_seconds:g} s: {_UNDER_WAY[self.step]}")
        return self.step

    def abandon(self) -> None:
        """Give it up, because the host ends or a newer version has come."""
        if self.step in _UNDER_WAY:
            self._refuse("it was given up")

    def _rehearse(self) -> None:
        answer = self.rehearsal.look()
        if answer is None:
            return
        self.rehearsal.close()
        self.answer = answer
        if answer.problems:
            self._refuse(*answer.problems)
            return
        try:
            self.generation = self.prepare()
        except OSError as error:
            self._refuse(f"its processes cannot be started: {error}")
        else:
            self.step = Step.PREPARE

    def _prepare(self) -> None:
        generation = self._heard()
        if generation is not None and generation.prepared:
            generation.go()
            self.step = Step.CHANGE

    def _change(self) -> None:
        generation = self._heard()
        if generation is not None and generation.ready:
            self._leaving = self.replace(generation)
            self._leaving_until = time.monotonic() + _LEAVING_SECONDS
            self.step = Step.HAND_OVER

    def _hand_over(self) -> None:
        if self._leaving is not None:
            self._leaving.listen()
            if self._leaving.left or time.monotonic() > self._leaving_until:
                self.step = Step.DONE

    def _heard(self) -> Generation | None:
        """Give the new processes with what they have said; None when one of them has ended, and with it the reload."""
        if self.generation is None:
            raise RuntimeError(f"no processes in step {self.step}")
        self.generation.listen()
        failure = self.generation.failure
        if failure is None:
            return self.generation
        self._refuse(masked(failure))  # a plugin's own words, perhaps
        return None

    def _refuse(self, *problems: str) -> None:
        self.rehearsal.close()
        self.problems = problems
        self.step = Step.REFUSED
