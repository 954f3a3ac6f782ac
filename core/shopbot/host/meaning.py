"""What a configuration means, examined: everything that is well written and would misbehave all the same."""

from collections.abc import Iterator

from shopbot.config.document import Document
from shopbot.config.problem import Problem
from shopbot.host.examinations import (
    answers,
    arrivals,
    conditions,
    doubles,
    filters,
    languages,
    limits,
    literals,
    placeholders,
    promotion,
    steps,
    subjects,
    trials,
    windows,
)
from shopbot.host.examinations.examination import Case, Examination, Finding

EXAMINATIONS: tuple[Examination, ...] = (
    arrivals.examine,
    filters.examine,
    subjects.examine,
    conditions.examine,
    steps.examine,
    doubles.examine,
    trials.examine,
    literals.examine,
    answers.examine,
    languages.examine,
    windows.examine,
    limits.examine,
    placeholders.examine,
    promotion.examine,
)


def misunderstandings(case: Case) -> Iterator[Problem]:
    """Examine a configuration whose every part is well written; what is said repeats nothing of the environment."""
    document = case.document
    for examine in EXAMINATIONS:
        for finding in examine(case):
            if not document.is_broken(finding.path):
                place = document.position_of_key if finding.at_key else document.position
                yield document.problem(place(finding.path), _message(document, finding), finding.severity)


def _message(document: Document, finding: Finding) -> str:
    """Leave out what came from the environment, whole or in part."""
    below = [finding.path[:length] for length in range(len(finding.path) + 1)]
    names = [name for path in below for name in document.origins.get(path, ())]
    if names:
        values = " and ".join(f"${{{name}}}" for name in names)
        return f"the value of {values} does not do here; why is not shown, because it came from the environment"
    return document.masked(finding.message)
