"""A test file from disk to its tests, or to all of its problems."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shopbot.config.document import Document
from shopbot.config.loader import read_document
from shopbot.config.nodes import ListNode, MappingNode, Node, ScalarNode
from shopbot.config.problem import Problem, quote
from shopbot.config.validation import validate
from shopbot.trials.settings import TrialFile

MARK = ".test"
"""What a test file's name has before its suffix, beside the name of the configuration: `shopbot.test.yaml`."""

_NUMBER = re.compile(r"\s+#[0-9]")


@dataclass(frozen=True, slots=True)
class ReadTrials:
    """What a test file gave."""

    document: Document
    file: TrialFile | None
    """None when there is a problem."""
    problems: tuple[Problem, ...]


def trial_file_of(config: Path) -> Path:
    """Say where the tests of a configuration are: `shopbot.test.yaml` beside `shopbot.yaml`."""
    return config.with_name(f"{config.stem}{MARK}{config.suffix}")


def config_of(tests: Path) -> Path | None:
    """Say which configuration a test file is for; None for a name that is no test file's."""
    if not tests.stem.endswith(MARK):
        return None
    return tests.with_name(f"{tests.stem.removesuffix(MARK)}{tests.suffix}")


def read_trials(path: Path) -> ReadTrials:
    """Read a test file. Raises nothing: a file that is missing or unreadable is a problem like any other."""
    document = read_document(path)
    if not document.data and document.problems:
        return ReadTrials(document, None, tuple(sorted(set(document.problems))))
    file, found = validate(TrialFile, document, (), document.data)
    problems = tuple(sorted({*document.problems, *found, *_cut_short(document, document.root)}))
    return ReadTrials(document, None if problems else file, problems)


def _cut_short(document: Document, node: Node | None) -> Iterator[Problem]:
    """Find texts that YAML ends where an order's number begins: what follows a blank and `#` is a comment to it."""
    match node:
        case MappingNode():
            for entry in node.entries.values():
                yield from _cut_short(document, entry.value)
        case ListNode():
            for item in node.items:
                yield from _cut_short(document, item)
        case ScalarNode(plain=True, value=str()):
            line = document.lines[node.position.line - 1]
            rest = line[node.position.column - 1 + len(node.source) :]
            if _NUMBER.match(rest):
                why = f"to YAML, {quote(rest.strip())} is a comment: put the whole text in quotes"
                yield document.problem(node.position, why)
