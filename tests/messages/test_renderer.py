"""Which words a message gets: the template, its language, what it can name, and what Messenger takes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.message import About, MessageSpec, QuickReplySpec, SendRequest, TemplateSpec
from shopbot.messages.renderer import READABLE, Renderer, language_of
from shopbot.messages.sandbox import TemplateSandbox
from shopbot.model.event import Event, Source
from shopbot.model.message import Delivery, QuickReply, UtilityTemplate
from shopbot.model.order import Order
from shopbot.model.order_reference import OrderReference
from shopbot.model.parcel import Parcel, ParcelStatus
from shopbot.plugin import Shop
from shopbot.testing.orders import order_body

NEW_YORK = ZoneInfo("America/New_York")
SHOP = Shop(domain="acme.myshopify.com", name="Acme", locale="en-GB", timezone=NEW_YORK)
AT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
EVENT = Event(id="webhook:1", topic="orders/paid", source=Source.POLL, body=b"{}", received_at=AT)
ORDER = Order.from_payload(order_body(order_id=1001, number=1234, locale="de", created_at=AT))
FOUND = OrderReference(order_id=1001, number="#1234", created_at=AT, locale="de")
PLAIN = MessageSpec(name="m", purpose="order_update", text="Hello")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in {
        "thanks.txt.j2": "Thanks ({{ locale }})",
        "thanks.de.txt.j2": "Danke ({{ locale }})",
        "thanks.pt-BR.txt.j2": "Obrigado ({{ locale }})",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def renderer(*specs: MessageSpec, directory: Path | None = None) -> Renderer:
    sandbox = TemplateSandbox([directory] if directory else [])
    return Renderer({spec.name: spec for spec in specs}, sandbox, SHOP, DeliveryCalendar(3, NEW_YORK))


def written(source: str, about: About) -> str:
    spec = replace(PLAIN, text=source)
    return renderer(spec).text(spec, about)


def request(about: About) -> SendRequest:
    return SendRequest(
        message="m", psid="7312", about=about, rule="r", subject="s", confirms_order=True, claim_ttl_seconds=1.0
    )


def test_a_message_is_ready_to_send_with_all_that_senders_need() -> None:
    spec = replace(
        PLAIN,
        text="Order {{ order.name }}",
        utility_template=TemplateSpec("confirmed", {"en_US": None, "de": None}, ("{{ order.name }}", "{{ locale }}")),
        quick_replies=(QuickReplySpec({"": "Help"}, "HELP"),),
    )
    message = renderer(replace(PLAIN, name="other"), spec).render(
        request(About(EVENT, ORDER)), delivery=Delivery.UTILITY, claim="c"
    )

    assert (message.psid, message.text, message.delivery) == ("7312", "Order #1234", Delivery.UTILITY)
    assert (message.purpose, message.claim, message.order_id, message.locale) == ("order_update", "c", 1001, "en-GB")
    assert message.template == UtilityTemplate(name="confirmed", language="de", parameters=("#1234", "de"))
    assert [(reply.title, reply.payload) for reply in message.quick_replies] == [("Help", "HELP")]


def test_an_event_without_an_order_makes_a_message_about_none() -> None:
    message = renderer(PLAIN).render(request(About(EVENT)), delivery=Delivery.UPDATE, claim="c")

    assert (message.order_id, message.template, message.quick_replies) == (None, None, ())


@pytest.mark.parametrize(("text", "cut"), [("x" * 1999, False), ("x" * 2000, True)])
def test_a_text_over_the_limit_is_cut_and_the_log_says_so(text: str, *, cut: bool) -> None:
    with capture_logs() as logs:
        message = renderer(replace(PLAIN, text=text)).render(request(About(EVENT)), delivery=Delivery.UPDATE, claim="c")

    assert message.text.endswith("…") is cut
    assert [entry["event"] for entry in logs] == ["message_cut"] * cut


def test_a_message_is_found_by_its_name() -> None:
    other = replace(PLAIN, name="other")

    assert renderer(PLAIN, other).spec("other") is other


@pytest.mark.parametrize(
    ("customer_locale", "text", "locale"),
    [
        ("de-AT", "Danke (de-AT)", "de-AT"),
        ("pt_BR", "Obrigado (pt-BR)", "pt-BR"),
        ("fr", "Thanks (en-GB)", "en-GB"),
        (None, "Thanks (en-GB)", "en-GB"),
    ],
)
def test_a_shopper_reads_the_file_of_their_language(
    directory: Path, customer_locale: str | None, text: str, locale: str
) -> None:
    about = About(EVENT, Order.from_payload(order_body(locale=customer_locale)))
    message = renderer(replace(PLAIN, text="thanks.txt.j2"), directory=directory).render(
        request(about), delivery=Delivery.UPDATE, claim="c"
    )

    assert (message.text, message.locale) == (text, locale)


def test_the_languages_of_a_message_are_those_that_it_has_files_for(directory: Path) -> None:
    (directory / "thanks.es-MX.txt.j2").write_text("Gracias", encoding="utf-8")
    found = renderer(directory=directory).languages(replace(PLAIN, text="thanks.txt.j2"))
    assert set(found) == {"de", "pt-BR", "es-MX"}
    assert renderer(directory=directory).languages(PLAIN) == []


@pytest.mark.parametrize(
    ("about", "language"),
    [
        (About(EVENT), None),
        (About(EVENT, ORDER), "de"),
        (About(EVENT, ORDER, language="fr"), "fr"),
        (About(EVENT, orders=(FOUND.model_copy(update={"locale": None}), FOUND)), "de"),
        (About(EVENT, ORDER, orders=(FOUND.model_copy(update={"locale": "es"}),)), "de"),
    ],
)
def test_the_language_just_used_comes_before_the_one_ordered_in(about: About, language: str | None) -> None:
    assert language_of(about) == language


def test_templates_can_name_the_shop_the_event_and_the_customer() -> None:
    about = About(EVENT, ORDER)

    assert written("{{ shop.name }} {{ shop.domain }} {{ shop.locale }}", about) == "Acme acme.myshopify.com en-GB"
    assert written("{{ locale }} {{ event.topic }} {{ event.source }}", about) == "en-GB orders/paid poll"
    assert written("{{ customer.first_name }}", about) == "Ada"
    assert written("[{{ customer.first_name }}]", About(EVENT)) == "[]"


@pytest.mark.parametrize(
    ("fields", "estimate"),
    [
        ({}, "26 Nov 2026"),
        ({"created_at": None}, ""),
        # Three business days later is the day of the event, and then the day before it.
        ({"created_at": datetime(2026, 11, 18, 12, tzinfo=UTC)}, "23 Nov 2026"),
        ({"created_at": datetime(2026, 11, 17, 12, tzinfo=UTC)}, ""),
        ({"cancelled_at": AT}, ""),
        ({"financial_status": "refunded"}, ""),
    ],
)
def test_an_order_that_was_found_is_expected_unless_the_day_has_passed_or_nothing_comes(
    fields: Mapping[str, Any], estimate: str
) -> None:
    about = About(EVENT, orders=(FOUND.model_copy(update=fields),))

    assert written("{{ orders[0].estimated_delivery or '' }}", about) == estimate


@pytest.mark.parametrize(("created_at", "estimate"), [(AT, "26 Nov 2026"), (None, "")])
def test_an_order_is_expected_so_many_business_days_after_it_was_made(
    created_at: datetime | None, estimate: str
) -> None:
    order = ORDER.model_copy(update={"created_at": created_at, "processed_at": None})

    assert written("{{ order.estimated_delivery or '' }}", About(EVENT, order)) == estimate


def test_what_the_carrier_expects_comes_first() -> None:
    parcel = Parcel(
        fulfillment_id=1,
        status=ParcelStatus.IN_TRANSIT,
        estimated_delivery=datetime(2026, 12, 1, 12, tzinfo=UTC),
        estimated_at=AT,
    )
    about = About(EVENT, orders=(FOUND.model_copy(update={"parcels": (parcel,)}),))

    assert written("{{ orders[0].estimated_delivery }}", about) == "1 Dec 2026"


def test_what_checks_take_for_readable_can_be_read() -> None:
    about = About(EVENT, ORDER)

    for name, example in READABLE.items():
        assert written(f"{{{{ {name} is defined }}}}", about) == "True"
        if name in {"shop", "event"}:
            assert isinstance(example, Mapping)
            for key in example:
                assert written(f"{{{{ {name}.{key} is defined }}}}", about) == "True"


def replies(spec: MessageSpec, about: About) -> Sequence[tuple[str, str]]:
    return [(reply.title, reply.payload) for reply in renderer(spec).quick_replies(spec, about)]


def test_quick_replies_are_as_many_and_as_long_as_messenger_takes() -> None:
    choices = tuple(QuickReplySpec({"": f"Choice {n:02}" + "x" * n}, f"C{n}") for n in range(15))
    spec = replace(PLAIN, quick_replies=choices)
    made = replies(spec, About(EVENT))

    assert len(made) == 13
    assert made[11] == ("Choice 11" + "x" * 11, "C11"), "of twenty characters"
    assert made[12] == ("Choice…", "C12")


def test_a_quick_reply_without_a_title_or_a_payload_is_left_out_and_blanks_are_one() -> None:
    spec = replace(
        PLAIN,
        quick_replies=(
            QuickReplySpec({"": "{{ order.name if order else '' }}"}, "A"),
            QuickReplySpec({"": "B"}, "{{ '' }}"),
            QuickReplySpec({"": " My \n order "}, "MY:\t{{ locale }}"),
        ),
    )

    assert replies(spec, About(EVENT)) == [("My order", "MY: en-GB")]


def test_no_part_of_a_message_has_half_a_character() -> None:
    """Escapes in a template write an emoji as two, and a sender that cannot write one would leave the send in doubt."""
    source = r"""{{ "\ud83d\udce6" }}{{ "\ud83d" }}"""
    spec = replace(
        PLAIN,
        text=source,
        utility_template=TemplateSpec("t", {"en": None}, [source]),
        quick_replies=(QuickReplySpec({"": source}, source),),
    )
    message = renderer(spec).render(request(About(EVENT)), delivery=Delivery.UTILITY, claim="c")

    assert message.text == "📦\ufffd"
    assert message.template is not None
    assert message.template.parameters == ("📦\ufffd",)
    assert message.quick_replies == (QuickReply(title="📦\ufffd", payload="📦\ufffd"),)


def test_each_order_that_was_found_is_offered_with_its_day_where_there_is_room() -> None:
    orders = (
        FOUND,
        FOUND.model_copy(update={"order_id": 1002, "number": "#1235", "created_at": None}),
        FOUND.model_copy(update={"order_id": 1003, "number": "#1234567890"}),
        FOUND.model_copy(update={"order_id": 1004, "number": "#12345678901"}),
        FOUND.model_copy(update={"order_id": 1005, "created_at": datetime(2026, 11, 23, 3, tzinfo=UTC)}),
    )
    spec = replace(PLAIN, quick_replies=(QuickReplySpec({"": "Help"}, "HELP"),), offers_orders=True)

    assert replies(spec, About(EVENT, orders=orders)) == [
        ("Help", "HELP"),
        ("#1234 · 23 Nov", "ORDER_STATUS:1001"),
        ("#1235", "ORDER_STATUS:1002"),
        ("#1234567890 · 23 Nov", "ORDER_STATUS:1003"),
        ("#12345678901", "ORDER_STATUS:1004"),
        ("#1234 · 22 Nov", "ORDER_STATUS:1005"),
    ]
    assert replies(replace(spec, offers_orders=False), About(EVENT, orders=orders)) == [("Help", "HELP")]
