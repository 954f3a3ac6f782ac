"""Previews as one page that looks like Messenger.

The page holds what customers and merchants wrote, so it can do nothing: no script, no link, nothing from elsewhere. Its
Content-Security-Policy allows its own style sheet and nothing else, should anything ever get past the escaping.
"""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined

from shopbot.cli.preview_words import (
    about,
    direction,
    heading,
    sending_warnings,
    sent_by,
    source,
    template_of,
    warnings,
    words,
)
from shopbot.host.preview import Preview, Sending
from shopbot.messages.filters import Formatting
from shopbot.messages.locales import babel_locale
from shopbot.messages.text import MESSENGER_LIMIT
from shopbot.model.printable import printable
from shopbot.plugin import Shop

_LINK = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True, slots=True)
class _Phone:
    """One way in which a message goes out, as the page shows it. The names are those of the template."""

    preview: Preview
    sending: Sending
    shop: Shop

    @property
    def silence(self) -> str:
        """Why there is nothing to read; empty where there is."""
        return "" if self.sending.delivery else f"{heading(self.sending)}: {self.sending.why}"

    @property
    def heading(self) -> str:
        return heading(self.sending)

    @property
    def asked(self) -> str:
        return printable(self.preview.asked)

    @property
    def about(self) -> str:
        return about(self.preview)

    @property
    def source(self) -> str:
        return template_of(self.sending) or source(self.preview)

    @property
    def locale(self) -> str:
        return self.sending.locale

    @property
    def direction(self) -> str:
        return direction(self.sending.locale)

    @property
    def time(self) -> str:
        moment = self.preview.subject.about.event.received_at
        return Formatting(babel_locale(self.sending.locale), self.shop.timezone).datetime(moment, "EEE HH:mm")

    @property
    def parts(self) -> Sequence[tuple[str, bool]]:
        """Give the text in parts, each with whether it is a link."""
        parts = _LINK.split(words(self.sending))
        return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]

    @property
    def only_values(self) -> bool:
        """Whether Meta alone has the words."""
        return not self.sending.words

    @property
    def is_text(self) -> bool:
        """Whether it is the message's own text that goes out."""
        return self.sending.delivery is not None and self.sending.template is None

    @property
    def quick_replies(self) -> Sequence[str]:
        return [printable(reply.title) for reply in self.sending.quick_replies]

    @property
    def warnings(self) -> Sequence[str]:
        return [*warnings(self.preview), *sending_warnings(self.preview, self.sending)]

    @property
    def call(self) -> str:
        """Write what the sender would hand over."""
        call = self.sending.call
        if call is None:
            return ""
        body = call.body if isinstance(call.body, str) else json.dumps(call.body, indent=2, ensure_ascii=False)
        return printable(f"{call.to}\n\n{body}")


def preview_page(previews: Sequence[Preview], shop: Shop) -> str:
    """Write the page: a self-contained HTML document."""
    style = _asset("preview_page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Every value of the page is escaped; the style sheet is ours.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    page = environment.from_string(_asset("preview_page.html.j2"))
    return page.render(
        style=style,
        style_hash=f"sha256-{digest}",
        shop_name=printable(shop.name),
        initial=printable(shop.name)[:1].upper(),
        limit=MESSENGER_LIMIT,
        messages=list(_messages(previews, shop)),
    )


def _messages(previews: Sequence[Preview], shop: Shop) -> Iterator[dict[str, object]]:
    for name, group in itertools.groupby(previews, key=lambda preview: preview.message):
        several = list(group)
        yield {
            "name": name,
            "sent_by": "; ".join(dict.fromkeys(sent_by(one) for one in several)),
            "phones": [_Phone(one, sending, shop) for one in several for sending in one.sendings],
            "failures": [
                f"{printable(one.asked)} · {about(one)}: {warning}"
                for one in several
                if not one.sendings
                for warning in warnings(one)
            ],
        }


def _asset(name: str) -> str:
    return resources.files("shopbot.cli").joinpath(name).read_text(encoding="utf-8")
