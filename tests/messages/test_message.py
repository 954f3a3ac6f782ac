"""What a configured message is: in which language, from where, and whether as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shopbot.messages.locales import locale_chain
from shopbot.messages.message import About, MessageSpec, QuickReplySpec, SendRequest, TemplateSpec
from shopbot.model.event import Event, Source
from shopbot.model.order import Order
from shopbot.testing.orders import order_body

TEMPLATE = TemplateSpec(name="t", bodies={"en_US": None, "de": None, "pt_BR": None, "en_GB": None}, parameters=())


@pytest.mark.parametrize(
    ("chain", "language"),
    [
        (locale_chain("de", "en"), "de"),
        (locale_chain("de-AT", "en"), "de"),
        (locale_chain("en-GB", "de"), "en_GB"),
        (locale_chain("en-AU", "de"), "en_US"),
        (locale_chain("pt-PT", "de"), "pt_BR"),
        (locale_chain("pt_BR", "de"), "pt_BR"),
        (locale_chain("fr", "de"), "de"),
        (locale_chain("fr-CA", "es"), "en_US"),
        (("pt-PT",), "en_US"),
        ((), "en_US"),
    ],
)
def test_a_template_goes_out_in_the_best_of_its_languages_and_else_in_its_first(
    chain: Sequence[str], language: str
) -> None:
    assert TEMPLATE.language(chain) == language


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("thanks.txt.j2", True),
        ("Thanks!", False),
        ("Templates end in .j2", True),
        (".j2 is how templates end", False),
        ("Thanks!\n.j2", False),
        ("", False),
    ],
)
def test_a_text_in_one_line_that_ends_as_templates_do_is_a_files_name(text: str, *, is_file: bool) -> None:
    assert MessageSpec(name="m", purpose="order_update", text=text).is_file is is_file


@pytest.mark.parametrize(
    ("purpose", "topic", "answers"),
    [
        ("order_answer", "messenger/message", True),
        ("order_answer", "messenger/postback", True),
        ("order_answer", "orders/paid", False),
        ("order_answer", "orders/messenger/", False),
        ("order_update", "messenger/message", False),
    ],
)
def test_a_message_answers_only_what_a_shopper_has_just_done(purpose: str, topic: str, *, answers: bool) -> None:
    assert MessageSpec(name="m", purpose=purpose, text="t").answers(topic) is answers


def test_a_message_that_may_not_be_sent_now_is_held_and_offers_no_orders_where_nothing_else_is_said() -> None:
    message = MessageSpec(name="m", purpose="order_update", text="t")

    assert not message.drop_over_limit
    assert not message.offers_orders


def test_a_request_is_about_an_event_and_its_order_and_no_answer_where_nothing_else_is_said() -> None:
    at = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    event = Event(id="webhook:1", topic="orders/paid", source=Source.WEBHOOK, body=b"{}", received_at=at)
    order = Order.from_payload(order_body())
    request = SendRequest(
        message="m",
        psid="7312",
        about=About(event, order),
        rule="r",
        subject="event:webhook:1",
        confirms_order=False,
        claim_ttl_seconds=1.0,
    )

    assert (request.event, request.order) == (event, order)
    assert not request.lined_up
    assert not request.asked


def test_a_title_is_found_in_the_file_under_its_language_where_it_has_one() -> None:
    assert QuickReplySpec.place("pt_BR") == ("title", "pt_BR")
    assert QuickReplySpec.place("") == ("title",)
