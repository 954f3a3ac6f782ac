"""A preview as cards on the terminal."""

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from shopbot.cli.preview_words import (
    about,
    direction,
    heading,
    sending_warnings,
    sent_by,
    source,
    warnings,
    words,
)
from shopbot.host.preview import Preview, Sending
from shopbot.messages.text import MESSENGER_LIMIT
from shopbot.model.printable import printable

_WIDEST = 64
_INDENT = 2


def print_preview(console: Console, preview: Preview, shop_name: str) -> None:
    """Print what the shopper would read, with what is to be known of it."""
    title = Text.assemble((preview.message, "bold cyan"), f"  {printable(preview.asked)}  ", (about(preview), "dim"))
    length = f", {preview.characters} of {MESSENGER_LIMIT} characters" if preview.rendered else ""
    told = (*warnings(preview), *(line for sending in preview.sendings for line in sending_warnings(preview, sending)))
    console.print(title)
    for part in (
        Text(sent_by(preview), style="dim"),
        Text(f"{source(preview)}{length}", style="dim"),
        *(Text(f"! {warning}", style="yellow") for warning in told),
        *(_card(sending, shop_name, console.width - _INDENT) for sending in preview.sendings),
    ):
        console.print(Padding(part, (0, 0, 0, _INDENT), expand=False))
    console.print()


def _card(sending: Sending, shop_name: str, width: int) -> RenderableType:
    if sending.delivery is None:
        return Text(f"{heading(sending)}: {sending.why}", style="dim")
    justify: JustifyMethod = "right" if direction(sending.locale) == "rtl" else "left"
    content: list[RenderableType] = [Text(words(sending), justify=justify)]
    if sending.quick_replies:
        titles = (f"[ {printable(reply.title)} ]" for reply in sending.quick_replies)
        content += [Text(), Text("  ".join(titles), style="bold", justify=justify)]
    return Panel(
        Group(*content),
        title=Text(printable(shop_name), style="bold"),
        title_align="left",
        subtitle=Text(heading(sending), style="dim"),
        subtitle_align="right",
        width=min(_WIDEST, width),
        border_style="blue",
    )
