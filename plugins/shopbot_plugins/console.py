"""Print messages as cards instead of sending them, for development.

    senders:
      - use: console
        width: 60

Takes every message. `width` is the card's width in columns. Nothing leaves the machine: shown are the text with its
quick replies (or, outside the messaging window, the utility template with its values), how it would be sent, and to
whom, masked.
"""

import itertools

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from shopbot.plugin import Delivery, Field, OutboundMessage, PluginConfig, Receipt, hookimpl, mask


class Config(PluginConfig):
    """What `use: console` accepts."""

    width: int = Field(60, ge=20, le=500, description="The card's width, in columns of the terminal.")


class Plugin:
    """Numbers its messages: `console-1`, `console-2`, and so on."""

    def __init__(self, config: Config) -> None:
        self._width = config.width
        self._numbers = itertools.count(1)

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> Receipt:
        """Print the message to standard output."""
        message_id = f"console-{next(self._numbers)}"
        card = Panel(
            _content(message),
            title=Text(f"Messenger to {mask(message.psid)}", style="bold"),
            title_align="left",
            subtitle=Text(f"{message.delivery} · {_printable(message.purpose)} · {message_id}", style="dim"),
            subtitle_align="right",
            width=self._width,
            border_style="blue",
        )
        # Made anew for each message: it follows a redirected standard output.
        Console().print(card)
        return Receipt(message_id=message_id)


def _content(message: OutboundMessage) -> RenderableType:
    template = message.template
    if message.delivery is not Delivery.UTILITY or template is None:
        text = Text(_printable(message.text))
        if not message.quick_replies:
            return text
        titles = [f"[ {_printable(reply.title)} ]" for reply in message.quick_replies]
        return Group(text, Text(), Text("  ".join(titles), style="bold"))
    values = [Text(f"{{{{{n}}}}} {_printable(value)}") for n, value in enumerate(template.parameters, start=1)]
    return Group(Text(_printable(f"template {template.name} ({template.language})"), style="italic"), *values)


def _printable(text: str) -> str:
    """Show control characters as such: a customer's name must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\u200d" else "\N{REPLACEMENT CHARACTER}" for c in text)
