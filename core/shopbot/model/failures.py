"""The exceptions by which plugins tell the host what kind of failure it is dealing with."""

from collections.abc import Sequence

from shopbot.model.checkout import ShortLine
from shopbot.model.reason import Reason


class Retry(Exception):  # noqa: N818 - it names what to do, which is how plugins read best
    """It may work later: the event is tried again, by the retry settings.

    Args:
        reason: what happened, for the journal; no secret, no PSID.
        after_seconds: the shortest wait, where the other side stated one; None leaves it to the settings.
        pauses_channel: with a sender: nothing else may be sent through it until then (a rate limit).
    """

    def __init__(self, reason: str, *, after_seconds: float | None = None, pauses_channel: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_seconds = after_seconds
        self.pauses_channel = pauses_channel


class Refused(Exception):  # noqa: N818 - likewise
    """It will never work for this message: no further attempt, a dead letter.

    With `code=Reason.OUTSIDE_WINDOW` the host switches once to the approved utility template, where there is one.
    """

    def __init__(self, reason: str, *, code: Reason = Reason.MESSAGE_SEND_FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class OutOfStock(Refused):
    """A checkout cannot be made because the shop has too few of these articles; the shopper can choose again."""

    def __init__(self, lines: Sequence[ShortLine]) -> None:
        named = ", ".join(f"variant {line.variant_id} ({line.available} of {line.requested})" for line in lines)
        super().__init__(f"the shop has too few of: {named}", code=Reason.OUT_OF_STOCK)
        self.lines = tuple(lines)


class ChannelDown(Exception):  # noqa: N818 - likewise
    """Nothing can be sent, or read by a poller, until a person acts (token revoked).

    Events wait and use up no attempts; a poller is asked again on schedule.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InDoubt(Exception):  # noqa: N818 - likewise
    """The request may have been carried out and nobody can say: never raise `Retry` in its place."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(Exception):  # noqa: N818 - likewise
    """An inbound request is not what it claims to be; it is answered with *status* and leaves a security log line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
