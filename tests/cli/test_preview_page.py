"""The page that `shopbot preview --html` writes: all there is to see, and nothing that could do anything."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shopbot.testing.orders import order_bytes, paid_order
from support.attacked_shop import config, message
from support.command_line import shopbot
from support.conversation import CONFIG as CONVERSATION

VARIABLES = {
    "SHOPIFY_WEBHOOK_SECRET": "test-webhook-secret",
    "MESSENGER_PAGE_TOKEN": "test-page-token",
    "MESSENGER_APP_SECRET": "test-app-secret",
    "MESSENGER_VERIFY_TOKEN": "test-verify-token",
    "MESSENGER_URL": "https://graph.facebook.com",
}
VOID = {"meta", "input"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;{{ 7 * 7 }}\u202e"


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    below: list[Element] = field(default_factory=list)

    @property
    def everything(self) -> list[Element]:
        """Give all elements below, in the order of the page."""
        return [one for below in self.below for one in (below, *below.everything)]

    def all(self, tag: str, css_class: str = "") -> list[Element]:
        """Give the elements below that have a tag and a class."""
        return [
            one
            for one in self.everything
            if one.tag == tag and css_class in ("", *(one.attributes.get("class") or "").split())
        ]


class Reader(HTMLParser):
    """Reads a page strictly: what is opened is closed, in its order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs)
        self._open[-1].below.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


def page(directory: Path, *arguments: str, text: str = CONVERSATION) -> Element:
    (directory / "shopbot.yaml").write_text(text, encoding="utf-8")
    ended = shopbot("preview", *arguments, "--html", "page.html", directory=directory, environ=VARIABLES)
    assert (ended.exit_code, ended.output) == (0, ""), ended.errors
    assert "wrote page.html" in ended.errors
    return read((directory / "page.html").read_text(encoding="utf-8"))


def read(html: str) -> Element:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.root


def texts(elements: Sequence[Element]) -> list[str]:
    return [" ".join(one.text.split()) for one in elements]


def test_every_message_is_there_with_its_bubbles_and_quick_replies(tmp_path: Path) -> None:
    shown = page(tmp_path)

    assert texts(shown.all("h2"))[:3] == ["order_confirmation", "order_status", "order_choice"]
    first, second = texts(shown.all("div", "bubble"))[:2]
    assert first.startswith("Order confirmed! 🎉 Order #1234")
    assert second == "Your order #1234 is confirmed and arrives on Feb 10, 2026, as promised."
    assert texts(shown.all("ul", "replies"))[0] == "Where's my order?"
    assert "96 of 1999 characters" in shown.text
    assert texts(shown.all("div", "silence"))[0].startswith("not sent · window closed")
    assert '"messaging_type": "UPDATE"' in shown.all("pre")[0].text


def test_several_languages_stand_side_by_side_each_in_its_direction(tmp_path: Path) -> None:
    shown = page(tmp_path, "order_confirmation", "--locale", "ar", "--locale", "pt-BR", "--window", "open")

    phones = [(one.attributes["lang"], one.attributes["dir"]) for one in shown.all("div", "phone")]
    assert phones == [("ar", "rtl"), ("pt-BR", "ltr")]
    arabic = shown.all("div", "bubble")[0].text
    assert arabic.splitlines()[1].endswith("\u2068#1234\u2069")
    assert arabic.startswith("تم")


def test_light_and_dark_follow_the_device_and_can_be_switched_without_a_script(tmp_path: Path) -> None:
    shown = page(tmp_path, "opted_out")
    (style,) = shown.all("style")

    assert "@media (prefers-color-scheme: dark)" in style.text
    switches = {one.attributes["id"] for one in shown.all("input")}
    assert switches == {"auto", "light", "dark"} == {one.attributes["for"] for one in shown.all("label")}
    assert all(f"#{name}:checked ~ .page" in style.text for name in switches)
    assert shown.all("meta")[-1].attributes == {
        "name": "viewport",
        "content": "width=device-width, initial-scale=1",
    }


def test_what_customers_and_merchants_write_is_text_and_nothing_else(tmp_path: Path) -> None:
    """An order's name, a line's title, the shop's name: none of them is more than what is to be read."""
    words = "{{ order.name }} {{ order.line_items[0].title if order.line_items }} {{ customer.first_name }}"
    reply = {"title": "{{ customer.last_name or 'Yes' }}", "payload": "{{ order.name }}"}
    text = config(
        messages=message(text=words, quick_replies=[reply]),
        shop={"domain": "acme.myshopify.com", "name": HOSTILE},
    )
    order = paid_order(name=HOSTILE, lines=[(HOSTILE, "1.00")], first_name=HOSTILE, last_name="<script>")
    (tmp_path / "order.json").write_bytes(order_bytes(order))
    plain = page(tmp_path, text=config(messages=message(text=words, quick_replies=[reply])))
    shown = page(tmp_path, "--order", "order.json", text=text)

    assert tags(shown) == tags(plain)
    (bubble,) = shown.all("div", "bubble")
    visible = HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    assert bubble.text == f"{visible} {visible} {visible}"
    assert texts(shown.all("ul", "replies")) == ["<script>"]
    assert texts(shown.all("h1")) == [f"{visible}: messages"]


def tags(element: Element) -> set[tuple[str, tuple[str, ...]]]:
    """Give the kinds of elements of a page, with the names of their attributes."""
    return {(one.tag, tuple(sorted(one.attributes))) for one in element.everything}


def test_the_page_can_do_nothing_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    shown = page(tmp_path, "--all-locales")
    attributes = {name for _, names in tags(shown) for name in names}

    assert {tag for tag, _ in tags(shown)} <= {
        *("html", "head", "meta", "title", "style", "body", "input", "div", "header", "h1", "h2", "bdi", "p", "label"),
        *(
            "section",
            "figure",
            "figcaption",
            "span",
            "b",
            "small",
            "i",
            "ul",
            "li",
            "meter",
            "details",
            "summary",
            "pre",
        ),
    }
    assert attributes <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "id", "type", "checked", "for", "dir"),
        *("min", "max", "value"),
    }
    style = shown.all("style")[0].text
    assert not re.search(r"url\(|@import|expression\(|//", style)


def test_the_policy_allows_the_pages_own_style_sheet_alone(tmp_path: Path) -> None:
    shown = page(tmp_path, "opted_out")

    style = shown.all("style")[0].text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [one for one in shown.all("meta") if one.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert shown.all("head")[0].below[1] is policy  # right behind the charset: it holds for what follows


def test_links_are_marked_and_lead_nowhere(tmp_path: Path) -> None:
    shown = page(tmp_path, "order_shipped", "--window", "open")

    assert texts(shown.all("span", "link")) == ["https://www.dhl.com/track?id=00340434161094042557"]
    assert shown.all("a") == []


def test_a_message_that_cannot_be_rendered_stands_there_with_the_reason(tmp_path: Path) -> None:
    text = config(messages=message(text="{{ order.line_items[9].title if order.note_attributes else 'fine' }}"))
    (tmp_path / "shopbot.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "order.json").write_bytes(order_bytes(paid_order(psid="7312345678901234")))
    ended = shopbot("preview", "--order", "order.json", "--html", "page.html", directory=tmp_path, environ=VARIABLES)

    assert ended.exit_code == 1
    shown = read((tmp_path / "page.html").read_text(encoding="utf-8"))
    (reason,) = texts(shown.all("div", "silence"))
    assert reason.startswith("en · #1234: messages.order_confirmation.text")


@pytest.mark.skipif(sys.platform == "win32", reason="a browser that is a shell script")
def test_the_page_is_opened_in_the_browser(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(config(), encoding="utf-8")
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > "$0.opened"\n', encoding="utf-8")
    browser.chmod(0o755)
    command = [sys.executable, "-m", "shopbot", "preview", "--html", "a page.html", "--open"]
    done = subprocess.run(  # noqa: S603 - our own module, our own arguments
        command,
        cwd=tmp_path,
        env={**os.environ, **VARIABLES, "BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "browser.opened").read_text(encoding="utf-8") == (tmp_path / "a page.html").as_uri()
