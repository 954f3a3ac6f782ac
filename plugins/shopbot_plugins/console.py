"""Print messages as cards instead of sending them, for development.

    senders:
      - use: console
        width: 60

Takes every message. `width` is the card's width in columns. Nothing leaves the machine: shown are the text with its
quick replies (or, outside the messaging window, the utility template with its values), how it would be sent, and to
whom, masked.
"""

import io
import itertools

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from shopbot.plugin import (
    Delivery,
    Field,
    MessagePreview,
    OutboundMessage,
    PluginConfig,
    Receipt,
    hookimpl,
    mask,
    printable,
)


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
        # Made anew for each message: it follows a redirected standard output.
        Console().print(self._card(message, message_id))
        return Receipt(message_id=message_id)

    @hookimpl
    def preview_message(self, message: OutboundMessage) -> MessagePreview:
        """Show the card."""
        paper = io.StringIO()
        Console(file=paper, width=self._width, color_system=None).print(self._card(message, "console-1"))
        return MessagePreview(to="standard output", body=paper.getvalue())

    def _card(self, message: OutboundMessage, message_id: str) -> Panel:
        return Panel(
            _content(message),
            title=Text(f"Messenger to {mask(message.psid)}", style="bold"),
            title_align="left",
            subtitle=Text(f"{message.delivery} · {printable(message.purpose)} · {message_id}", style="dim"),
            subtitle_align="right",
            width=self._width,
            border_style="blue",
        )


def _content(message: OutboundMessage) -> RenderableType:
    template = message.template
    if message.delivery is not Delivery.UTILITY or template is None:
        text = Text(printable(message.text))
        if not message.quick_replies:
            return text
        titles = [f"[ {printable(reply.title)} ]" for reply in message.quick_replies]
        return Group(text, Text(), Text("  ".join(titles), style="bold"))
    values = [Text(f"{{{{{n}}}}} {printable(value)}") for n, value in enumerate(template.parameters, start=1)]
    return Group(Text(printable(f"template {template.name} ({template.language})"), style="italic"), *values)
