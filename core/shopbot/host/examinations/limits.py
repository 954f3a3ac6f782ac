"""Limits that swallow what a shopper must not miss."""

from collections.abc import Iterator

from shopbot.host.examinations.confirmations import confirmed_by
from shopbot.host.examinations.examination import Case, Finding


def examine(case: Case) -> Iterator[Finding]:
    """Find confirmations that a limit gives up."""
    for name, settings in case.settings.messages.items():
        rule = confirmed_by(case.rules, name)
        if rule is None or settings.limit is None or settings.on_limit != "drop":
            continue
        message = (
            f"'{name}' confirms orders (rule '{rule}'), and outside Messenger's window those over {settings.limit} are"
            " never confirmed: write `on_limit: hold`, so that they wait for their turn"
        )
        yield Finding(("messages", name, "on_limit"), message, "warning", at_key=True)
