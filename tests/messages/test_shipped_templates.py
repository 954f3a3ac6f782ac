"""All texts that come with shopbot: each message, about each thing that it may be about, in each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bidi
import pytest

from shopbot.host.blueprint import Blueprint, load_blueprint
from shopbot.host.preview import Preview, Previewer, Subject
from support.conversation import EXAMPLE

LANGUAGES = ("en", "de", "fr", "es", "pt-BR", "ar")
TEMPLATES = Path(__file__).parents[2] / "templates"
MESSAGES = sorted({path.name.partition(".")[0] for path in TEMPLATES.glob("*.j2")})
ISOLATES = re.compile("[\u2066-\u2069]")
ARABIC = re.compile("[\u0621-\u064a]+")


@pytest.fixture(scope="module")
def example() -> Blueprint:
    variables = re.findall(r"\$\{(\w+)\}", EXAMPLE.read_text(encoding="utf-8"))
    return load_blueprint(EXAMPLE, dict.fromkeys(variables, "not-a-real-secret"))


def in_language(example: Blueprint, message: str, language: str) -> Iterator[Preview]:
    """Render a message about everything that it may be about."""
    previewer = Previewer(example)
    for subject in previewer.samples(message).values():
        yield previewer.preview(message, subject, language=language)


def text_of(preview: Preview) -> str:
    assert preview.rendered is not None, f"{preview.file}, {preview.subject.sample}: {preview.error}"
    return preview.rendered.text


def numbers(text: str) -> list[int]:
    """Give the numbers in a text, in whatever digits and order: those of dates, amounts, orders, parcels."""
    return sorted(int(digits) for digits in re.findall(r"\d+", text))


def test_the_example_sends_every_message_that_comes_with_shopbot(example: Blueprint) -> None:
    assert sorted(example.messages) == MESSAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("message", MESSAGES)
def test_a_text_says_in_every_language_what_it_says_in_english(example: Blueprint, message: str, language: str) -> None:
    pairs = zip(in_language(example, message, "en"), in_language(example, message, language), strict=True)
    for english, translated in pairs:
        text = text_of(translated)
        assert (translated.locale, translated.bundled, translated.sound) == (language, True, True)
        assert translated.file == f"{message}.{language}.txt.j2"
        assert numbers(text) == numbers(text_of(english)), translated.subject.sample
        assert len(text.splitlines()) == len(text_of(english).splitlines()), translated.subject.sample
        assert re.findall(r"https://\S+", text) == re.findall(r"https://\S+", text_of(english))
        assert language == "en" or text != text_of(english)


def laid_out(line: str) -> str:
    """Give the characters of a line from left to right, as a screen shows them that runs from right to left."""
    return ISOLATES.sub("", bidi.get_display(line, base_dir="R"))


@pytest.mark.parametrize("message", MESSAGES)
def test_what_arabic_isolates_ends_in_its_line(example: Blueprint, message: str) -> None:
    for preview in in_language(example, message, "ar"):
        for line in text_of(preview).splitlines():
            assert re.sub("[^\u2066-\u2069]", "", line).replace("\u2068\u2069", "") == "", ascii(line)


ORDER_NUMBERS = ("#1234", "ACME-1234", "#1234 (B)", "1234.EU!", "№ 7/2026")


def numbered(subject: Subject, number: str) -> Subject:
    """Give the orders that a message is about another number."""
    about = subject.about
    order = about.order.model_copy(update={"name": number}) if about.order else None
    orders = tuple(reference.model_copy(update={"number": number}) for reference in about.orders)
    return replace(subject, about=replace(about, order=order, orders=orders))


@pytest.mark.parametrize("number", ORDER_NUMBERS)
@pytest.mark.parametrize(
    "message", ["order_confirmation", "order_status", "order_shipped", "order_delivered", "order_refunded"]
)
def test_an_order_number_reads_from_left_to_right_in_an_arabic_sentence(
    example: Blueprint, message: str, number: str
) -> None:
    previewer = Previewer(example)
    for subject in previewer.samples(message).values():
        text = text_of(previewer.preview(message, numbered(subject, number), language="ar"))

        [line] = [line for line in text.splitlines() if number in line]
        words = ARABIC.findall(line)
        shown = laid_out(line)
        assert number in shown, ascii(shown)
        assert shown.rstrip().endswith(words[0][::-1]), "the sentence begins at the right"


def test_without_isolates_it_would_not() -> None:
    """What the test above holds against: letters and signs of a number mix with what stands around them."""
    assert "1234.EU!" not in laid_out("تم تسليم طلبك 1234.EU!. 🎉")


def test_an_amount_reads_as_one_in_an_arabic_sentence(example: Blueprint) -> None:
    [refunded] = in_language(example, "order_refunded", "ar")
    [line] = [line for line in text_of(refunded).splitlines() if "#1234" in line]

    amount = re.search("\u2068([^\u2069]*42[^\u2069]*)\u2069", line)
    assert amount is not None
    assert "€" in amount[1]
    shown = laid_out(line)
    assert shown.index("#1234") < shown.index("42"), "the amount comes first, which is farther to the right"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refund_of_which_nobody_says_how_much_is_told_without_an_amount(example: Blueprint, language: str) -> None:
    """The example's rule passes such refunds by; another shop's need not."""
    previewer = Previewer(example)
    subject = previewer.samples("order_refunded")["everyday"]
    assert subject.about.refund is not None
    refund = subject.about.refund.model_copy(update={"amount": None})
    untold = replace(subject, about=replace(subject.about, refund=refund))

    assert numbers(text_of(previewer.preview("order_refunded", untold, language=language))) == [1234]


def test_a_link_stands_on_a_line_of_its_own_with_nothing_at_its_ends(example: Blueprint) -> None:
    """Whatever makes links of texts would take what cannot be seen for a part of them."""
    for message in ("order_shipped", "order_status"):
        lines = [line for preview in in_language(example, message, "ar") for line in text_of(preview).splitlines()]
        links = [line for line in lines if "https:" in line]
        assert links
        assert all(re.fullmatch(r"https://[\x21-\x7e]+", link) for link in links)


@pytest.mark.parametrize("number", ["#1002", "A-1002"])
def test_a_button_for_an_order_reads_right_in_arabic(example: Blueprint, number: str) -> None:
    """First the number, at the right, then day and month; in a title that begins with Latin letters, too."""
    previewer = Previewer(example)
    subject = numbered(previewer.samples("order_choice")["several"], number)
    preview = previewer.preview("order_choice", subject, language="ar")

    assert preview.rendered is not None
    title = preview.rendered.quick_replies[0].title
    month = ARABIC.findall(title)[0]
    assert title.startswith(f"\u2068{number}\u2069")
    assert ISOLATES.sub("", bidi.get_display(title)) == f"{month[::-1]} 5 · {number}"
