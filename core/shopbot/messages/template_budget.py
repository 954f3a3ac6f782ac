"""The limits of one rendering: a merchant's mistake costs milliseconds, never the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context

MAX_SOURCE_BYTES: Final = 16 * 1024
"""Size of one template's source, in UTF-8."""
MAX_ITERATIONS: Final = 10_000
"""Turns of all loops together, nested ones too, and calls of macros, in one rendering."""
MAX_WORK: Final = 150_000
"""Steps of one rendering, of about a microsecond: parts of the template that run, items that are looked at."""
MAX_DEPTH: Final = 20
"""Macros that call each other."""
MAX_TEXT: Final = 64 * 1024
"""Characters of the output, and of any text on the way to it."""
MAX_WEIGHT: Final = 32 * 1024
"""Size of a list, tuple or mapping that a template makes, with everything in it; see `weigh`."""
CHARACTERS_PER_STEP: Final = 64
"""Of texts that are copied or compared."""
FILTERED_CHARACTERS_PER_STEP: Final = 4
"""Of texts that a filter goes through."""
STEPS_PER_FORMATTING: Final = 50
"""To write a date or an amount by language."""

BUDGET_KEY: Final = "~budget"
"""Where the context keeps the budget: no template can write this name."""


class LimitReachedError(TemplateRuntimeError):
    """A template asks for more than a message may cost."""


class Budget:
    """What one rendering may still spend."""

    def __init__(self) -> None:
        self._iterations = 0
        self._work = 0
        self._depth = 0

    @classmethod
    def of(cls, context: Context) -> Budget:
        """Find the budget of the rendering that *context* belongs to."""
        return cast("Budget", context[BUDGET_KEY])

    def spend(self, steps: int) -> None:
        """Charge work that is no loop; raises LimitReachedError when nothing is left."""
        self._work += steps
        if self._work > MAX_WORK:
            raise LimitReachedError("this takes too many steps for one message; make the template simpler")

    def spend_on_text(self, text: str) -> str:
        """Charge for *text* and return it; raises LimitReachedError for a text over the limit."""
        if len(text) > MAX_TEXT:
            raise LimitReachedError(f"the text grows beyond {MAX_TEXT} characters")
        self.spend(1 + len(text) // CHARACTERS_PER_STEP)
        return text

    def turn(self, steps: int) -> None:
        """Charge one turn of a loop, whose body has *steps* parts."""
        self._iterations += 1
        if self._iterations > MAX_ITERATIONS:
            raise LimitReachedError(f"more than {MAX_ITERATIONS} loop turns and macro calls in one message")
        self.spend(steps)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Hold one level of macro calls."""
        self.turn(1)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LimitReachedError(f"macros call each other more than {MAX_DEPTH} levels deep")
        try:
            yield
        finally:
            self._depth -= 1
