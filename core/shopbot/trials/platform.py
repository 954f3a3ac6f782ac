"""The platform of a trial: stands where the configured senders talk to the network, and answers as the test says."""

from collections.abc import Sequence

from shopbot.plugin import (
    ChannelDown,
    Delivery,
    InDoubt,
    OutboundMessage,
    Reason,
    Receipt,
    Refused,
    Retry,
    hookimpl,
)
from shopbot.trials.values import PlatformAnswer

_PAUSE_SECONDS = 60.0


class Platform:
    """Answers one message after the other, and keeps what it took."""

    def __init__(self, answers: Sequence[PlatformAnswer]) -> None:
        """Answer in this order; the last answer is for all messages that follow."""
        self._answers = list(answers)
        self.taken: list[OutboundMessage] = []
        """What it took, oldest first."""

    def answer(self, message: OutboundMessage) -> Receipt:
        """Take a message.

        Raises:
            Refused, Retry, ChannelDown, InDoubt: as a sender raises them for such an answer of its platform.
        """
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        match answer:
            case PlatformAnswer.REFUSED:
                raise Refused("the test's platform refuses the message")
            case PlatformAnswer.RETRY:
                raise Retry("the test's platform is out of order")
            case PlatformAnswer.RATE_LIMITED:
                why = "the test's platform takes nothing for a minute"
                raise Retry(why, after_seconds=_PAUSE_SECONDS, pauses_channel=True)
            case PlatformAnswer.DOWN:
                raise ChannelDown("the test's platform takes nothing until a person acts")
            case PlatformAnswer.IN_DOUBT:
                raise InDoubt("the answer of the test's platform was lost")
            case PlatformAnswer.OUTSIDE_WINDOW if message.delivery is not Delivery.UTILITY:
                raise Refused("for the test's platform the window is closed", code=Reason.OUTSIDE_WINDOW)
        self.taken.append(message)
        return Receipt(message_id=f"m_{len(self.taken)}")


class PlatformSender:
    """Stands in the place of one entry of `senders:`."""

    def __init__(self, platform: Platform, *, channel: object, passes: bool) -> None:
        """Offer messages to the platform.

        channel: of the sender whose place it takes; None where it names none.
        passes: whether it serves no message, so that the next sender is asked.
        """
        self._platform = platform
        self._passes = passes
        self.channel = channel

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt | None:
        """Offer the message, as the platform would be offered it."""
        return None if self._passes else self._platform.answer(message)
