"""Messages that can fall outside Messenger's standard window, where only an approved template goes out.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from collections.abc import Iterator

from shopbot.config.duration import format_duration
from shopbot.host.examinations.carried import ACT
from shopbot.host.examinations.confirmations import confirmed_by
from shopbot.host.examinations.examination import Case, Finding
from shopbot.host.occasions import occasions_of
from shopbot.model.request import Origin


def examine(case: Case) -> Iterator[Finding]:
    """Ask of each message what becomes of it outside the window."""
    # Who knows utility templates sends to a platform with a window; a terminal or a mail has none.
    if not case.complete or not case.hooks.template_managers:
        return
    for name, settings in case.settings.messages.items():
        # What a shopper does opens the window.
        unasked = any(rule and rule.topics - ACT.topics for rule, *_ in occasions_of(case.rules, name))
        decided = settings.on_limit == "drop" and confirmed_by(case.rules, name) is None
        if unasked and settings.utility_template is None and not decided:
            yield Finding(("messages", name), _lost(case, name), "warning", at_key=True)


def _lost(case: Case, name: str) -> str:
    window = case.settings.window
    outside = f"later than {format_duration(window.length)} after the shopper's last act Messenger refuses '{name}'"
    if case.settings.messages[name].on_limit == "drop":
        what = "and `on_limit: drop` gives it up"
    elif case.hooks.judges(Origin.MESSENGER):
        what = f"and it waits until they write again, {format_duration(window.release)} at most"
    else:
        what = "and it becomes a dead letter"
    return f"{outside}, {what}: give it a `utility_template:`, or write `utility_template: none` where that is meant"
