"""What a template reads that does not exist is found in every branch, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Optional
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field, computed_field

from shopbot.host.samples import sample_event, sample_orders
from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.message import About, MessageSpec
from shopbot.messages.renderer import READABLE, Renderer
from shopbot.messages.sandbox import TemplateSandbox
from shopbot.messages.template_reading import UNKNOWN, example_of
from shopbot.model.money import Money
from shopbot.model.order import Order
from shopbot.model.parcel import ParcelStatus
from shopbot.plugin import Shop
from shopbot.resources import bundled
from shopbot.rules.attempt import READABLE as READABLE_BY_RULES
from shopbot.rules.attempt import Attempt

SHOP = Shop(domain="acme.myshopify.com", name="Acme", locale="en", timezone=ZoneInfo("UTC"))


def slips(source: str, known: Mapping[str, object] = READABLE) -> list[str]:
    return [str(slip).removeprefix("t:") for slip in TemplateSandbox([]).read_text(source, "t", known).slips]


@pytest.mark.parametrize(
    ("source", "slip"),
    [
        ("{{ order.nmae }}", "1: an Order has no 'nmae'; did you mean 'name'?"),
        ("{{ order['nmae'] }}", "1: an Order has no 'nmae'; did you mean 'name'?"),
        ("{{ oder.name }}", "1: 'oder' is not defined; did you mean 'order'?"),
        ("Hi\n{% if order.test %}\n{{ order.nmae }}{% endif %}", "3: an Order has no 'nmae'; did you mean 'name'?"),
        ("{{ 'a' if order.test else order.nmae }}", "1: an Order has no 'nmae'; did you mean 'name'?"),
        ("{{ order.test or order.totl }}", "1: an Order has no 'totl'; did you mean 'total'?"),
        ("{{ order.total.amout }}", "1: a Money has no 'amout'; did you mean 'amount'?"),
        ("{{ order.customer.frist_name }}", "1: a Customer has no 'frist_name'; did you mean 'first_name'?"),
        ("{{ order.name.uper() }}", "1: a text has no 'uper'; did you mean 'upper'?"),
        ("{{ order.line_items.title }}", "1: a list has no 'title'"),
        ("{{ order.line_items[0].titel }}", "1: a LineItem has no 'titel'; did you mean 'title'?"),
        ("{{ order.line_items[:3][0].titel }}", "1: a LineItem has no 'titel'; did you mean 'title'?"),
        ("{{ (order.line_items | first).titel }}", "1: a LineItem has no 'titel'; did you mean 'title'?"),
        ("{% for l in orders | sort %}{{ l.psod }}{% endfor %}", "1: a Reference has no 'psod'; did you mean 'psid'?"),
        ("{% for l in order.line_items if l.sky %}{% endfor %}", "1: a LineItem has no 'sky'; did you mean 'sku'?"),
        ("{{ orders[0].tracked[0].nubmer }}", "1: a Parcel has no 'nubmer'; did you mean 'number'?"),
        ("{{ orders[0].estimated_delivery.yeer }}", "1: a date has no 'yeer'; did you mean 'year'?"),
        ("{% set total = order.total %}{{ total.amout }}", "1: a Money has no 'amout'; did you mean 'amount'?"),
        ("{% macro m(x) %}{{ x.anything }}{{ y }}{% endmacro %}{{ m(1) }}", "1: 'y' is not defined"),
        ("{{ shop.nmae }}", "1: 'shop' has no 'nmae'; did you mean 'name'?"),
        ("{{ shop.owner }}", "1: 'shop' has no 'owner'; it has domain, locale, name"),
        ("{{ order.nmae | default('x') }}{{ order.totl }}", "1: an Order has no 'totl'; did you mean 'total'?"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_named_with_its_line(source: str, slip: str) -> None:
    assert slips(source) == [slip]


@pytest.mark.parametrize(
    "source",
    [
        "{{ order.name.upper() }} {{ order.total | money }} {{ order.created_at.year }} {{ event.topic }}",
        "{% for line in order.line_items %}{{ loop.index }} {{ line.price.amount }}{% else %}none{% endfor %}",
        "{% if order.nmae is defined %}{{ order.nmae }}{% endif %}",
        "{{ nobody | default('x') }}",
        "{% if nobody is defined %}{{ nobody.name }}{% endif %}",
        "{% set words = {'paid': 'Paid'} %}{{ words[order.financial_status] }} {{ words.paid }}",
        # Which of the two it is depends on the way that is taken.
        "{% if order %}{% set thing = order %}{% else %}{% set thing = orders[0] %}{% endif %}{{ thing.number }}",
        "{% if not order %}{% set order = orders[0] %}{% endif %}{{ order.number }}",
        "{{ (order or orders[0]).number }}",
        "{{ (order if order else orders[0]).number }}",
        # Inside the loop it is another one.
        "{% for order in orders %}{{ order.number }}{% endfor %}{{ order.name }}",
        "{% with parcel = orders[0] %}{{ parcel.number }}{% endwith %}",
        "{% macro greet(name) %}{{ name.first }}{{ caller() }}{% endmacro %}{% call greet(1) %}x{% endcall %}",
        "{% set text %}Hello{% endset %}{{ text.upper() }}",
        "{% for a, b in order.line_items | groupby('sku') %}{{ a.x }}{{ b.y }}{% endfor %}",
        "{{ range(3)[0] }}",
    ],
)
def test_what_may_exist_is_no_slip(source: str) -> None:
    assert slips(source) == []


class TestFilesThatTakeInOthers:
    def read(self, directory: Path, **files: str) -> list[str]:
        for name, source in files.items():
            (directory / f"{name}.j2").write_text(source, encoding="utf-8")
        return [str(slip) for slip in TemplateSandbox([directory]).read_file("a.j2", READABLE).slips]

    def test_a_slip_is_named_with_the_file_it_is_in(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, a="{{ order.name }}\n{% include 'b.j2' %}", b="\n{{ oder.name }}")

        assert found == ["b.j2:2: 'oder' is not defined; did you mean 'order'?"]

    def test_what_one_sets_the_other_may_read(self, tmp_path: Path) -> None:
        a = "{% set hi = 'Hi' %}{% set order = orders[0] %}{% for parcel in orders %}{% include 'b.j2' %}{% endfor %}"

        assert self.read(tmp_path, a=a, b="{{ hi }} {{ order.number }} {{ parcel.psid }}") == []

    def test_what_a_macro_is_called_with_may_be_read_by_what_it_takes_in(self, tmp_path: Path) -> None:
        a = "{% macro m(line, order) %}{% include 'b.j2' %}{% endmacro %}{{ m(1, 2) }}"

        assert self.read(tmp_path, a=a, b="{{ line }} {{ order.anything }}") == []

    def test_what_is_imported_may_be_anything(self, tmp_path: Path) -> None:
        a = "{% import 'b.j2' as tools %}{% from 'b.j2' import m as n %}{{ tools.anything }}{{ n() }}"

        assert self.read(tmp_path, a=a, b="{% macro m() %}x{% endmacro %}") == []

    def test_blocks_of_a_parent_are_read_too(self, tmp_path: Path) -> None:
        a = "{% extends 'b.j2' %}{% block body %}{{ super() }}{{ order.nmae }}{% endblock %}"

        assert self.read(tmp_path, a=a, b="{% block body %}{{ oder }}{% endblock %}") == [
            "a.j2:1: an Order has no 'nmae'; did you mean 'name'?",
            "b.j2:1: 'oder' is not defined; did you mean 'order'?",
        ]

    def test_a_file_that_may_be_missing_reads_nothing_where_it_is(self, tmp_path: Path) -> None:
        a = "{% include 'c.j2' ignore missing %}{% include ['d.j2', 'b.j2'] %}"

        assert self.read(tmp_path, a=a, b="{{ oder.name }}") == ["b.j2:1: 'oder' is not defined; did you mean 'order'?"]

    def test_what_cannot_be_compiled_reads_nothing(self, tmp_path: Path) -> None:
        """Compiling it says what is wrong."""
        assert self.read(tmp_path, a="{{ oder", b="") == []
        assert self.read(tmp_path, a="{% include 'c.j2' %}{{ oder }}") == []


@pytest.mark.parametrize("path", sorted(bundled("templates").glob("*.j2")), ids=lambda path: path.name)
def test_the_bundled_templates_have_no_slips(path: Path) -> None:
    assert TemplateSandbox([path.parent]).read_file(path.name, READABLE).slips == []


def test_an_expression_is_read_as_a_whole() -> None:
    reading = TemplateSandbox([]).read_expression("order.test or order.totl.amount > 5 and text", READABLE_BY_RULES)

    assert [str(slip) for slip in reading.slips] == ["if:1: an Order has no 'totl'; did you mean 'total'?"]
    assert reading.names == {"order", "text"}


def test_a_payload_may_hold_anything() -> None:
    assert TemplateSandbox([]).read_expression("payload.tags.x[0] == 1", READABLE_BY_RULES).slips == []


def test_what_is_known_to_be_readable_is_what_conditions_can_read() -> None:
    """Or a new name would be called undefined."""
    event = sample_event()
    attempt = Attempt(event=event, number=1, earlier=(), clock=lambda: event.received_at)

    assert READABLE_BY_RULES.keys() == attempt.context().keys()


def test_what_is_known_to_be_readable_is_what_messages_can_read() -> None:
    names = " ".join(f"{{{{ {name} is defined }}}}" for name in [*READABLE, "nothing_else"])
    sandbox = TemplateSandbox([])
    spec = MessageSpec(name="all", purpose="order_update", text=names)
    renderer = Renderer({"all": spec}, sandbox, SHOP, DeliveryCalendar(3, SHOP.timezone, None, None))

    shown = renderer.text(spec, About(sample_event(), order=sample_orders(SHOP)[0]))

    assert shown == " ".join(["True"] * len(READABLE)) + " False"


class Part(BaseModel):
    name: str
    price: Annotated[Money | None, Field()] = None
    others: tuple[int, ...] = ()
    either: int | str = 0
    mapping: dict[str, int] = {}


@pytest.mark.parametrize(
    ("annotation", "example"),
    [
        (str, ""),
        (int | None, 0),
        (Annotated[Decimal, "any"], Decimal(0)),
        (bool, False),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (date | None, date(2026, 1, 1)),
        (tuple[int, ...], (0,)),
        (ParcelStatus, ParcelStatus.PREPARING),
        (int | str, UNKNOWN),
        (dict[str, int], UNKNOWN),
        (Any, UNKNOWN),
    ],
)
def test_an_example_is_made_of_each_type(annotation: Any, example: object) -> None:  # noqa: ANN401 - any type
    made = example_of(annotation)

    assert (type(made), made) == (type(example), example)


def test_an_example_of_a_model_has_its_type() -> None:
    assert type(example_of(Order)) is Order
    assert type(example_of(tuple[Part, ...])) is tuple
    assert slips("{{ part.price.x }}{{ part.others[0].y }}{{ part.either.z }}", {"part": example_of(Part)}) == [
        "1: a Money has no 'x'",
        "1: a number has no 'y'",
    ]


class Basket(BaseModel):
    prices: tuple[Money, ...] = ()
    names: list[str] = []
    weight: float = 0.0
    took: timedelta = timedelta()

    @property
    def total(self) -> Money:
        raise AssertionError("only its type is looked at")

    @cached_property
    def tax(self) -> Money | None:
        raise AssertionError("only its type is looked at")

    @computed_field
    def tip(self) -> Money:
        raise AssertionError("only its type is looked at")

    @property
    def anything(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as a plugin's author may write it
        raise AssertionError("only its type is looked at")


BASKET = {"basket": example_of(Basket), "shop": {"name": "", "empty": ()}}


@pytest.mark.parametrize(
    "source",
    [
        "{{ basket.total.x }}",
        "{{ basket.tax.x }}",
        "{{ basket.tip.x }}",
        "{{ basket.prices[0].x }}",
        "{{ basket.prices[1:][0].x }}",
        "{{ basket['total']['x'] }}",
        *(f"{{{{ (basket.prices | {name}).x }}}}" for name in ("first", "last", "min", "max")),
        *(
            f"{{{{ (basket.prices | {name} | first).x }}}}"
            for name in (
                *("list", "sort", "reverse", "unique", "select", "reject"),
                *("selectattr('currency')", "rejectattr('currency')"),
            )
        ),
        "{{ (basket.total or basket.tax).x }}",
        "{{ (basket.total and basket.tax).x }}",
        "{{ (basket.total if basket else basket.tax).x }}",
        "{% for price in basket.prices %}{{ price.x }}{% endfor %}",
        "{% for price in basket.prices if price.x %}{% endfor %}",
        "{% for price in [] %}{% else %}{{ basket.total.x }}{% endfor %}",
        "{% with %}{{ basket.total.x }}{% endwith %}",
        "{% macro m() %}{{ basket.total.x }}{% endmacro %}",
        "{% set price = basket.total %}{{ price.x }}",
        "{% set text %}{{ basket.total.x }}{% endset %}",
        "{{ 1 + basket.total.x }}",
        "{{ 1 if basket.total.x }}",
        "{{ 'a' | replace(basket.total.x, 'b') }}",
        "{{ 'a' | replace('b', new=basket.total.x) }}",
        "{{ range(3)[basket.total.x] }}",
        "{% filter replace('a', basket.total.x) %}a{% endfilter %}",
        "{{ basket.total.x }}{{ basket.total.x }}",
    ],
)
def test_the_type_of_what_is_read_is_followed(source: str) -> None:
    assert slips(source, BASKET) == ["1: a Money has no 'x'"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ basket.anything.x }}",
        "{{ basket.prices[0].x is defined }}{{ basket['prices'][0]['x'] }}",
        "{{ (basket.prices | first).x is defined }}{{ (basket.prices | first).x }}",
        "{{ shop['a.b'] | d(1) }}{{ shop['a.b'] }}",
        "{{ basket.names[0][:3].x }}",
        "{{ shop.empty[0].x }}",
        "{{ (basket.total or basket.weight).x }}",
        "{{ (basket.total if basket).x }}",
        "{{ (basket.prices | map(attribute='amount') | first).x }}",
        "{{ (basket.prices | length).x }}",
        "{{ basket.total.x | d(1) }}",
        "{% if basket.total.x is undefined %}none{% else %}{{ basket.total.x }}{% endif %}",
        "{% if nobody is undefined %}none{% else %}{{ nobody }}{% endif %}",
        "{{ nobody | d(1) }}",
        "{% for price in basket.names %}{{ loop.index }}{% else %}{{ basket.weight }}{% endfor %}",
        "{% set a, b = basket.total, 1 %}{{ a.x }}{{ b.x }}",
        "{% set price = basket.total %}{% set price = 1 %}{{ price.x }}",
        "{% set basket = 1 %}{{ basket.x }}",
        "{% set basket %}x{% endset %}{{ basket.x }}",
        "{% with basket = 1 %}{{ basket.x }}{% endwith %}",
        "{% macro m(basket) %}{{ basket.x }}{% endmacro %}{{ m(1) }}",
        "{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(basket) m() %}{{ basket.x }}{% endcall %}",
        "{% for basket in [1] %}{{ basket.x }}{% endfor %}",
        "{{ later() if false }}{% macro later() %}{% endmacro %}",
        "{% block a %}{{ super() if false }}{% endblock %}",
    ],
)
def test_what_is_not_known_is_no_slip(source: str) -> None:
    assert slips(source, BASKET) == []


@pytest.mark.parametrize(
    ("source", "slip"),
    [
        ("{{ loop.index }}{{ caller.x }}{{ nobody }}", "1: 'nobody' is not defined"),
        ("{% for a in [1] %}{% endfor %}{{ a }}{{ b }}", "1: 'b' is not defined"),
        ("{{ nobody.x.y }}", "1: 'nobody' is not defined"),
        ("{{ nobody is none }}", "1: 'nobody' is not defined"),
        ("{{ nobody | upper }}", "1: 'nobody' is not defined"),
        ("{{ nobody.x | default(1) }}", "1: 'nobody' is not defined"),
        ("{{ shop[0:1].x }}{{ nobody }}", "1: 'nobody' is not defined"),
        ("\n\n{{ basket.took.x }}", "3: a timedelta has no 'x'"),
        ("{{ basket.weight.x }}", "1: a number has no 'x'"),
        ("{{ basket.names.x }}", "1: a list has no 'x'"),
        ("{{ basket.model_dump() }}", "1: a Basket has no 'model_dump'"),
        ("{{ shop['nmae'] }}", "1: 'shop' has no 'nmae'; did you mean 'name'?"),
        ("{{ shop['a.b'] }}", "1: 'shop' has no 'a.b'; it has empty, name"),
        ("{{ basket.prices[0].x is defined }}{{ basket.prices[1].x }}", "1: a Money has no 'x'"),
        ("{{ shop.zzz }}", "1: 'shop' has no 'zzz'; it has empty, name"),
        ("{{ (shop | d({})).nmae }}{{ nobody }}", "1: 'nobody' is not defined"),
        ("{{ (basket.prices | list)[0].x is defined }}{{ (basket.prices | sort)[0].x }}", "1: a Money has no 'x'"),
    ],
)
def test_what_is_known_not_to_exist_is_named_once(source: str, slip: str) -> None:
    assert slips(source, BASKET) == [slip]


class Empty(Enum):
    """A choice that has none."""


def test_the_names_that_a_template_starts_from_are_those_that_it_reads() -> None:
    source = "{% set a = b %}{{ a }}{% for c in d %}{{ loop.index }}{% endfor %}"
    reading = TemplateSandbox([]).read_text(source, "t", {})

    assert reading.names == {"a", "b", "d", "loop"}


@pytest.mark.parametrize(
    ("annotation", "example"),
    [
        (float, 0.0),
        (timedelta, timedelta()),
        (list[int], (0,)),
        (Sequence[bool], (False,)),
        (None | str, ""),
        (Optional[str], ""),  # noqa: UP045 - it has another origin than `str | None`
        (int | str | None, UNKNOWN),
        (Empty, UNKNOWN),
        (bytes, UNKNOWN),
        (list, UNKNOWN),
        ("Order", UNKNOWN),
    ],
)
def test_other_types_have_examples_too(annotation: Any, example: object) -> None:  # noqa: ANN401 - any type
    made = example_of(annotation)

    assert (type(made), made) == (type(example), example)


@pytest.mark.parametrize(
    ("source", "slip"),
    [
        ("{{ (shop if order.test else shop).nmae }}", "1: a mapping has no 'nmae'; did you mean 'name'?"),
        ("{{ shop.nested.order.totl }}", "1: an Order has no 'totl'; did you mean 'total'?"),
    ],
)
def test_a_mapping_without_a_name_of_its_own_is_followed_too(source: str, slip: str) -> None:
    known = {**READABLE, "shop": {"name": "", "nested": {"order": READABLE["order"]}}}

    assert slips(source, known) == [slip]


@pytest.mark.parametrize(
    "source",
    [
        "{{ shop[order.name] }}",
        "{{ order.created_at.year.numerator }}",
        "{% for one, other in orders %}{{ one.anything }}{% endfor %}",
        "{% set o = order %}{% set o %}text{% endset %}{{ o.anything }}",
        "{% if order.test %}{% set o = order %}{% else %}{% set o %}text{% endset %}{% endif %}{{ o.anything }}",
        "{% if order.test %}{% set o %}text{% endset %}{% else %}{% set o = order %}{% endif %}{{ o.anything }}",
    ],
)
def test_what_may_be_one_thing_or_another_is_no_slip(source: str) -> None:
    assert slips(source) == []
