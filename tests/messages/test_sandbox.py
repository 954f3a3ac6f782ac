from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import pass_context, pass_environment, pass_eval_context
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, SecretStr, computed_field

from shopbot.messages.sandbox import TemplateError, TemplateSandbox


class Source(StrEnum):
    WEBHOOK = "webhook"


class Money(BaseModel, frozen=True):
    amount: Decimal = Decimal("42.50")
    currency: str = "EUR"


class LineItem(BaseModel, frozen=True):
    title: str
    quantity: int = 1
    price: Money = Money()


class Order(BaseModel, frozen=True):
    id: int = 5551001
    name: str = "#1234"
    total: Money = Money()
    line_items: tuple[LineItem, ...] = (LineItem(title="Mug", quantity=2), LineItem(title="Cup"))
    customer: None = None
    created_at: datetime = datetime(2026, 2, 5, 12, tzinfo=UTC)
    token: SecretStr = SecretStr("do-not-show")
    source: Source = Source.WEBHOOK

    @property
    def units(self) -> int:
        return sum(item.quantity for item in self.line_items)

    @cached_property
    def first_title(self) -> str:
        return self.line_items[0].title

    @computed_field
    def short_name(self) -> str:
        return self.name.lstrip("#")

    def delete(self) -> str:
        raise AssertionError("a template called a model's method")


class Pair(NamedTuple):
    left: str
    right: str


CONTEXT: Mapping[str, object] = {
    "order": Order(),
    "shop": {"name": "Acme", "items": ["a", "b"], "_private": "p"},
    "pair": Pair("l", "r"),
    "nothing": None,
}


def render(source: str, **more: object) -> str:
    sandbox = TemplateSandbox([])
    return sandbox.render(sandbox.compile_text(source, "test"), {**CONTEXT, **more})


def failure(source: str, **more: object) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(source, **more)
    return caught.value


class TestWhatTemplatesCanDo:
    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("Hi {{ order.name }}!", "Hi #1234!"),
            ("{{ order.units }} {{ order.first_title }} {{ order.short_name }}", "3 Mug 1234"),
            ("{{ order['name'] }} {{ order.line_items[1].title }}", "#1234 Cup"),
            ("{{ order.line_items[-1]['title'] }}", "Cup"),
            ("{{ shop.name }} {{ shop.items | join('+') }} {{ shop['_private'] }}", "Acme a+b p"),
            ("{{ shop.get('nope', 'x') }} {{ pair.left }}{{ pair[1] }}", "x lr"),
            ("{{ order.created_at.year }} {{ order.created_at.date() }}", "2026 Feb 5, 2026"),
            ("{{ order.source }} {{ order.source.value }}", "webhook webhook"),
            ("{{ order.total }} {{ order.total.amount }} {{ order.total.amount * 2 }}", "€42.50 42.50 85.00"),
            ("{{ order.total.amount * 1.19 }} {{ 2 * order.total.amount }}", "50.5750 85.00"),
            ("{{ 2 ** 10 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ -(3 - 5) }}", "1024 3 3 2"),
            ("{{ 'a' ~ 1 ~ none ~ order.total }} {{ 'ab' * 2 }} {{ '%s-%03d' % ('a', 7) }}", "a1€42.50 abab a-007"),
            ("{{ '%.2f' | format(1.005) }} {{ '%d%%' | format(5) }} {{ '%(a)s' | format(a='x') }}", "1.00 5% x"),
            (
                "{% for i in order.line_items %}{{ loop.index }}/{{ loop.length }} {{ i.title }};{% endfor %}",
                "1/2 Mug;2/2 Cup;",
            ),
            ("{% for i in order.line_items if i.quantity > 1 %}{{ i.title }}{% else %}none{% endfor %}", "Mug"),
            ("{% for i in [] %}{% else %}none{% endfor %}", "none"),
            ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
            ("{% for i in range(3) %}{{ i }}{{ ',' if not loop.last }}{% endfor %}", "0,1,2"),
            ("{% for i in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}", "aba"),
            ("{{ order.line_items | map(attribute='title') | join(', ') }}", "Mug, Cup"),
            ("{{ order.line_items | map(attribute='price.amount') | sum }}", "85.00"),
            ("{{ order.line_items | selectattr('quantity', '>', 1) | map(attribute='title') | first }}", "Mug"),
            ("{{ order.line_items | sort(attribute='title') | map(attribute='title') | list | last }}", "Mug"),
            ("{{ order.line_items | groupby('quantity') | map(attribute='grouper') | join }}", "12"),
            ("{{ [3, 1, 2] | sort | join }} {{ [1, 1, 2] | unique | list | length }} {{ [1, 5] | max }}", "123 2 5"),
            ("{{ 'hello world' | title | replace('o', '0') | truncate(20) }} {{ ' a ' | trim }}", "Hell0 W0rld a"),
            ("{{ 'a b' | upper }} {{ 'AB'.lower() }} {{ 'a,b'.split(',')[1] }} {{ 'abc'[1:] }}", "A B ab b bc"),
            ("{{ ', '.join(['a', 'b']) }} {{ 'aXb'.replace('X', '-') }} {{ 'x'.center(3) }}|", "a, b a-b  x |"),
            ("{{ 'ü & <b>' }}", "ü & <b>"),
            ("{{ missing | default('d') }} {{ missing is defined }} {{ order.nope is defined }}", "d False False"),
            ("{{ nothing }}|{{ nothing or 'x' }}|{{ 'yes' if order.total.amount > 40 else 'no' }}", "|x|yes"),
            ("{% set a, b = 1, 2 %}{{ a + b }}{% set c %}c{{ a }}{% endset %}{{ c }}", "3c1"),
            ("{% with x = 1 %}{{ x }}{% endwith %}{% filter upper %}a{% endfilter %}", "1A"),
            ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(3, b=4) }}", "1234"),
            ("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}", "<x>"),
            ("{{ 3 is odd }} {{ 4 is divisibleby(2) }} {{ 'x' is in('y') }}", "True True False"),
            ("{{ 'a' in 'abc' }} {{ 1 in [1, 2] }} {{ 1 not in [1] }}", "True True False"),
            ("{# a comment #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
            ("a\n{% if true %}\n  b\n{% endif %}\nc\n", "a\n  b\nc"),
        ],
    )  # fmt: skip
    def test_the_useful_part_of_jinja_works(self, source: str, text: str) -> None:
        assert render(source) == text

    def test_a_compiled_text_is_kept(self) -> None:
        sandbox = TemplateSandbox([])

        assert sandbox.compile_text("a", "x") is sandbox.compile_text("a", "x")
        assert sandbox.compile_text("a", "x") is not sandbox.compile_text("b", "x")

    def test_each_rendering_has_a_budget_of_its_own(self) -> None:
        sandbox = TemplateSandbox([])
        template = sandbox.compile_text("{% for i in range(6000) %}{% endfor %}ok", "x")

        assert [sandbox.render(template, {}) for _ in range(3)] == ["ok"] * 3

    async def test_renderings_do_not_share_what_they_set(self) -> None:
        sandbox = TemplateSandbox([])
        template = sandbox.compile_text("{% set x = n %}{{ x }}", "x")

        async def once(number: int) -> str:
            await asyncio.sleep(0)
            return sandbox.render(template, {"n": number})

        assert await asyncio.gather(*map(once, range(5))) == list("01234")


class TestEachNameThatIsPromised:
    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("{{ 'aB'.upper() }} {{ 'aB'.lower() }} {{ 'aB'.swapcase() }} {{ 'AB'.casefold() }}", "AB ab Ab ab"),
            ("{{ 'ab cd'.title() }} {{ 'ab cd'.capitalize() }}", "Ab Cd Ab cd"),
            ("[{{ ' a '.strip() }}][{{ ' a '.lstrip() }}][{{ ' a '.rstrip() }}]", "[a][a ][ a]"),
            ("{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }}", "bc ab"),
            ("{{ 'ab'.startswith('a') }} {{ 'ab'.endswith('a') }}", "True False"),
            ("{{ 'abca'.find('c') }} {{ 'abca'.count('a') }}", "2 2"),
            ("{{ 'a b'.split() | join('|') }} {{ 'a-b'.partition('-') | join('|') }}", "a|b a|-|b"),
            ("{{ 'a\\nb'.splitlines() | join('|') }}", "a|b"),
            ("{{ '1'.isdigit() }} {{ 'a'.isalpha() }}", "True True"),
            ("{{ '-'.isalnum() }} {{ '1'.isnumeric() }}", "False True"),
            ("{{ ' '.isspace() }} {{ 'A'.isupper() }} {{ 'A'.islower() }}", "True True False"),
            ("[{{ 'x'.center(3) }}][{{ 'x'.ljust(3) }}][{{ 'x'.rjust(3) }}]", "[ x ][x  ][  x]"),
            ("{{ '7'.zfill(3) }}", "007"),
            ("{{ 'ab'.replace('a', 'c') }} {{ '-'.join(['a', 'b']) }}", "cb a-b"),
        ],
    )  # fmt: skip
    def test_of_texts(self, source: str, text: str) -> None:
        assert render(source) == text

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("{{ m.get('a') }} {{ m.keys() | join }} {{ m.values() | join }}", "1 a 1"),
            ("{% for k, v in m.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
            ("{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}", "2 1"),
            ("{{ pair.count('l') }} {{ pair.index('r') }}", "1 1"),
            ("{{ order.source.name }} {{ order.source.value }}", "WEBHOOK webhook"),
            ("{{ at.hour }} {{ at.minute }} {{ at.second }} {{ at.date() }}", "12 34 56 Feb 5, 2026"),
            ("{{ at.year }} {{ at.month }} {{ at.day }} {{ at.weekday() }} {{ at.isoweekday() }}", "2026 2 5 3 4"),
            ("{{ at.date().isoformat() }}", "2026-02-05"),
            ("{{ span.days }} {{ span.seconds }} {{ span.total_seconds() }}", "2 5 172805.0"),
        ],
    )
    def test_of_other_values(self, source: str, text: str) -> None:
        more = {
            "m": {"a": 1},
            "at": datetime(2026, 2, 5, 12, 34, 56, tzinfo=UTC),
            "span": timedelta(days=2, seconds=5),
        }
        assert render(source, **more) == text

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ("{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}", "1032 2121 3210 "),
            ("{{ loop.first }}{{ loop.last }}", "TrueFalse FalseFalse FalseTrue "),
            ("{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}", "310 310 310 "),
            ("{{ loop.previtem | default('-') }}{{ loop.nextitem | default('-') }}", "-b ab b- "),
            ("{{ loop.changed(i) }}", "True False True "),
            ("{{ loop.cycle('x', 'y') }}", "x y x "),
        ],
    )
    def test_of_loops(self, fields: str, text: str) -> None:
        items = "['a', 'a', 'b']" if "changed" in fields else "['a', 'b', 'b']"
        assert render(f"{{% for i in {items} %}}{fields} {{% endfor %}}") == text

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("{{ 'ab cd' | capitalize }} {{ 'ab cd' | title }}", "Ab cd Ab Cd"),
            ("{{ 'Ab' | upper }} {{ 'Ab' | lower }}", "AB ab"),
            ("[{{ 'x' | center(3) }}][{{ ' x ' | trim }}][{{ 'ab' | replace('a', 'c') }}]", "[ x ][x][cb]"),
            ("{{ 'a\\nb' | indent(2) }}", "a\n  b"),
            ("{{ 'aa bb' | wordwrap(2) }} {{ 'a b' | wordcount }}", "aa\nbb 2"),
            ("{{ '<b>x</b>' | striptags }} {{ 'a b' | urlencode }}", "x a%20b"),
            ("{{ 'hello world' | truncate(5, true, '~', 0) }}", "hell~"),
            ("{{ (-1) | abs }} {{ '7' | int }} {{ '1.5' | float }} {{ 1.26 | round(1) }}", "1 7 1.5 1.3"),
            ("{% for row in [1, 2, 3] | batch(2) %}{{ row | join }};{% endfor %}", "12;3;"),
            ("{% for part in [1, 2, 3] | slice(2) %}{{ part | join }};{% endfor %}", "12;3;"),
            ("{{ [1, 2] | count }} {{ [1, 2] | length }}", "2 2"),
            ("{{ missing | d('x') }} {{ missing | default('y') }}", "x y"),
            ("{{ {'b': 1, 'a': 2} | dictsort | map('first') | join }}", "ab"),
            ("{% for k, v in {'a': 1} | items %}{{ k }}{{ v }}{% endfor %}", "a1"),
            ("{{ [3, 4] | first }} {{ [3, 4] | last }} {{ [3, 4] | max }} {{ [3, 4] | min }}", "3 4 4 3"),
            ("{{ [1, 2] | select('odd') | join }} {{ [1, 2] | reject('odd') | join }}", "1 2"),
            ("{{ lines | selectattr('quantity', '>', 1) | map(attribute='title') | join }}", "Mug"),
            ("{{ lines | rejectattr('quantity', '>', 1) | map(attribute='title') | join }}", "Cup"),
            ("{{ lines | groupby('title') | map(attribute='grouper') | join(' ') }}", "Cup Mug"),
            ("{{ [2, 1, 1] | sort | join }} {{ [2, 1, 1] | unique | join }}", "112 21"),
            ("{{ [2, 1] | reverse | join }} {{ [1, 2] | list | length }} {{ [1, 2] | sum }}", "12 2 3"),
            ("{{ 5 | string | length }} {{ '%s' | format(1) }}", "1 1"),
        ],
    )  # fmt: skip
    def test_of_filters(self, source: str, text: str) -> None:
        assert render(source, lines=Order().line_items) == text

    @pytest.mark.parametrize(
        ("symbol", "text"),
        [
            ("+", "43.00"),
            ("-", "42.00"),
            ("*", "21.250"),
            ("/", "85"),
            ("//", "85"),
            ("%", "0.00"),
            ("**", "6.519202405202648"),
        ],
    )
    def test_every_operator_takes_an_amount_and_a_written_number(self, symbol: str, text: str) -> None:
        assert render(f"{{{{ order.total.amount {symbol} 0.5 }}}}").startswith(text)

    @pytest.mark.parametrize("name", ["callable", "escaped", "filter", "test"])
    def test_tests_that_ask_about_the_host_do_not_exist(self, name: str) -> None:
        with pytest.raises(TemplateError, match=f"there is no test '{name}'"):
            TemplateSandbox([]).compile_text(f"{{{{ 'x' is {name} }}}}", "t")

    @pytest.mark.parametrize("name", ["self", "varargs", "kwargs", "namespace", "dict", "cycler", "joiner", "lipsum"])
    def test_objects_of_jinjas_own_are_refused_by_name(self, name: str) -> None:
        with pytest.raises(TemplateError, match=f"'{name}' is not part of the language of messages"):
            TemplateSandbox([]).compile_text(f"{{{{ {name} }}}}", "t")


class TestNothingButDataCanBeReached:
    @pytest.mark.parametrize(
        "source",
        [
            "{{ order.__class__ }}",
            "{{ order['__class__'] }}",
            "{{ order['__cla' ~ 'ss__'] }}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ ''['__class__'] }}",
            "{{ ()['__class__'] }}",
            "{{ {}['__class__'] }}",
            "{{ {}.get.__self__ }}",
            "{{ order | attr('__class__') }}",
            "{{ order | attr('na' ~ 'me') }}",
            "{{ [order] | map(attribute='__class__') | first }}",
            "{{ [order] | map(attribute='name.__class__') | first }}",
            "{{ [order] | map('attr', '__class__') | first }}",
            "{{ [order] | map(attribute='delete') | first }}",
            "{{ [order] | sort(attribute='__class__') }}",
            "{{ [order] | groupby('__class__') }}",
            "{{ [order] | selectattr('__class__') | list | length }}",
            "{{ [order] | sum(attribute='__class__') }}",
            "{{ [order] | join(attribute='__class__') }}",
            "{{ '{0.__class__}'.format(order) }}",
            "{{ '{0.name}'.format(order) }}",
            "{{ '{a.__class__}'.format_map({'a': order}) }}",
            "{{ '%s' | format(order) }}",
            "{{ '%r' | format('x') }}",
            "{{ '%s' % [order] }}",
            "{{ '%(a)s' % {'a': order} }}",
            "{{ order.delete }}",
            "{{ order.delete() }}",
            "{{ order.model_dump() }}",
            "{{ order.model_copy() }}",
            "{{ order.model_fields }}",
            "{{ order.model_fields_set }}",
            "{{ order.model_extra }}",
            "{{ order.json() }}",
            "{{ order.copy() }}",
            "{{ order.token }}",
            "{{ order.token.get_secret_value() }}",
            "{{ order.token ~ '' }}",
            "{{ order }}",
            "{{ order ~ '' }}",
            "{{ order | string }}",
            "{{ order | upper }}",
            "{{ order | list }}",
            "{{ [order] | join }}",
            "{% for field in order %}{{ field }}{% endfor %}",
            "{{ order.line_items }}",
            "{{ shop }}",
            "{{ shop | string }}",
            "{{ order.line_items | string }}",
            "{{ order.created_at.strftime('%Y') }}",
            "{{ order.created_at.replace(year=1) }}",
            "{{ order.created_at.max }}",
            "{{ (1).to_bytes(9, 'big') }}",
            "{{ 1.0.as_integer_ratio() }}",
            "{{ 'x'.encode() }}",
            "{{ 'x'.maketrans('a', 'b') }}",
            "{{ [1].append(2) }}",
            "{{ [1].pop() }}",
            "{{ shop.update({'a': 1}) }}",
            "{{ shop.pop('name') }}",
            "{{ shop.items.append('c') }}",
            "{% set shop.name = 'x' %}",
            "{{ range }}",
            "{{ range.__globals__ }}",
            "{{ self }}",
            "{{ self._TemplateReference__context }}",
            "{% block a %}{{ self.a() }}{% endblock %}",
            "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
            "{% for i in [1] %}{{ loop['_iterator'] }}{% endfor %}",
            "{% for i in [1] %}{{ loop }}{% endfor %}",
            "{% for i in [1] %}{{ loop._undefined.__init__.__globals__ }}{% endfor %}",
            "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}",
            "{% macro m() %}{% endmacro %}{{ m._func }}",
            "{% macro m() %}{% endmacro %}{{ m.name }}",
            "{% macro m() %}{% endmacro %}{{ m }}",
            "{{ namespace(a=1) }}",
            "{% set ns = namespace() %}{% set ns.a = 1 %}",
            "{{ cycler('a', 'b').next() }}",
            "{{ joiner(', ')() }}",
            "{{ lipsum() }}",
            "{{ lipsum.__globals__ }}",
            "{{ dict(a=1) }}",
            "{{ order | pprint }}",
            "{{ order | tojson }}",
            "{{ 'x' | safe }}",
            "{{ [1, 2] | random }}",
            "{{ 'x' | map('~loop', 1) }}",
            "{% autoescape true %}{{ 'x' }}{% endautoescape %}",
            "{% do 1 %}",
            "{% debug %}",
            "{% trans %}x{% endtrans %}",
            "{% include '../x.j2' %}",
            "{% include '/etc/passwd' %}",
            "{% include 'x/../../y.j2' %}",
            "{% include 'shopbot.yaml' %}",
            "{% include order.name %}",
            "{% include ['x.j2', order.name] %}",
            "{% import order.name as x %}",
            "{% from '../x.j2' import y %}",
            "{% from 'x.j2' import __class__ %}",
            "{% extends '../x.j2' %}",
            "{% extends order %}",
            "{{ order.name.upper.__self__ }}",
            "{{ order.name.upper }}",
            "{{ missing.__class__ }}",
            "{{ (missing | default(order)).__class__ }}",
            "{{ [missing] | map(attribute='__class__') | first }}",
        ],
    )
    def test_reaching_further_is_an_error(self, source: str) -> None:
        text = str(failure(source))

        assert "do-not-show" not in text
        assert "\n" not in text

    def test_a_context_stays_as_it_was(self) -> None:
        shop: dict[str, object] = {"name": "Acme", "items": ["a"]}
        render("{% set shop = 1 %}{% set x = shop %}{{ x }}", shop=shop)

        assert shop == {"name": "Acme", "items": ["a"]}

    def test_a_function_in_the_context_cannot_be_called(self) -> None:
        assert "cannot be called" in failure("{{ f() }}", f=lambda: "called").message


FOREVER = "{% for i in range(10000) %}"
END = "{% endfor %}"
NESTED = "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 12


class TestATemplateStopsBeforeItCostsMuch:
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("{% for i in range(10001) %}{% endfor %}", "at most 10000 numbers"),
            (f"{FOREVER}{END}{{% for i in [1] %}}{END}", "more than 10000 loop turns"),
            (
                "{% for a in range(101) %}{% for b in range(100) %}{% endfor %}{% endfor %}",
                "more than 10000 loop turns",
            ),
            ("{% for a in range(9) %}" * 9 + "{% endfor %}" * 9, "more than 10000 loop turns"),
            (f"{FOREVER[:-3]} if false %}}{END}{{% for i in [1] %}}{END}", "more than 10000 loop turns"),
            ("{% for a in range(900) if range(900) | select('odd') | list %}{% endfor %}", "too many steps"),
            ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}", "20 levels deep"),
            ("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "20 levels deep"),
            (
                "{% macro m() %}{{ caller() }}{% call m() %}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}",
                "20 levels",
            ),
            ("{{ 'x' * 10 ** 9 }}", "beyond 65536"),
            ("{{ 10 ** 9 * 'x' }}", "beyond 65536"),
            ("{{ [1] * 10 ** 9 }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ a + a }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ a ~ a }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ [a, a] | join }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ '%s%s' | format(a, a) }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ '%(a)s%(a)s' % {'a': a} }}", "beyond 65536"),
            ("{% set a = 'x' * 1000 %}{{ a | replace('x', a) }}", "beyond 65536"),
            ("{% set a = 'x' * 1000 %}{{ a.replace('x', a) }}", "beyond 65536"),
            ("{% set a = 'x' * 1000 %}{{ a.join(a) }}", "beyond 65536"),
            ("{{ ('\n' * 1000) | indent('x' * 1000, true, true) }}", "beyond 65536"),
            ("{{ ('a b ' * 100) | wordwrap(1, wrapstring='x' * 10000) }}", "beyond 65536"),
            ("{% set a = 'x' * 50000 %}{{ a }}{{ a }}", "beyond 65536"),
            ("{% set a %}" + FOREVER + "xxxxxxxxxx" + END + "{% endset %}", "beyond 65536"),
            (
                "{% macro m() %}" + FOREVER.replace("10000", "9000") + "xxxxxxxxxx" + END + "{% endmacro %}{{ m() }}",
                "beyond 65536",
            ),
            ("{% filter upper %}" + FOREVER + "xxxxxxxxxx" + END + "{% endfilter %}", "beyond 65536"),
            (FOREVER + "xxxxxxxxxx" + END, "beyond 65536"),
            ("{{ 'x' | center(10 ** 9) }}", "from 0 to 200"),
            ("{{ 'x' | center(width=10 ** 9) }}", "from 0 to 200"),
            ("{{ 'x'.ljust(10 ** 9) }}", "from 0 to 200"),
            ("{{ 'x'.zfill(10 ** 9) }}", "from 0 to 200"),
            ("{{ 'x' | indent(10 ** 9, true) }}", "from 0 to 200"),
            ("{{ '%1000000000d' | format(1) }}", "at most 200"),
            ("{{ '%.1000000000f' | format(1) }}", "at most 200"),
            ("{{ '%1000000000d' % 1 }}", "at most 200"),
            ("{{ '%*d' | format(1000000000, 1) }}", "not a format"),
            ("{{ '%(a(b))1000000000d' % {'a(b)': 1} }}", "not a format"),
            ("{{ '{:1000000000}'.format(1) }}", "has no 'format'"),
            ("{{ 9 ** 9 ** 9 }}", "too large"),
            ("{{ 2 ** -1000 }}", "between -64 and 64"),
            ("{% set a = 2 %}" + "{% set a = a * a %}" * 20, "too large"),
            ("{% set a = order.total.amount %}" + "{% set a = a * a %}" * 20, "too large"),
            ("{{ 1.5 | round(10 ** 9, 'ceil') }}", "small number"),
            ("{{ 1.5 | round(precision=10 ** 9, method='ceil') }}", "small number"),
            ("{{ [1] | batch(10 ** 9, 'x') }}", "from 1 to 1000"),
            ("{{ [1] | batch(linecount=10 ** 9, fill_with='x') }}", "from 1 to 1000"),
            ("{{ [1] | slice(10 ** 9) }}", "from 1 to 1000"),
            ("{% set a = [1] %}" + "{% set a = [a, a] %}" * 30, "too large"),
            ("{% set a = {1: 1} %}" + "{% set a = {1: a, 2: a} %}" * 30, "too large"),
            ("{% set a = (1,) %}" + "{% set a = (a, a) %}" * 30, "too large"),
            ("{% set a = [1] %}" + "{% set a = a + a %}" * 30, "too large"),
            ("{% set a = [1] %}" + "{% set a = [a, a] | list %}" * 30, "too large"),
            ("{{ [[1]] | sum(start=[]) }}", "adds numbers"),
            (FOREVER + "{% set x = range(10000) | max %}" + END, "too many steps"),
            (FOREVER + "{{ order.total | money | replace('x', '') and '' }}" + END, "too many steps"),
            ("{% set a = 'a' * 60000 %}" + FOREVER + "{% if a == a ~ '' %}{% endif %}" + END, "too many steps"),
            ("{% set a = 'a' * 60000 %}" + FOREVER + "{% if 'b' in a %}{% endif %}" + END, "too many steps"),
            ("{% set a = 'a' * 60000 %}" + FOREVER + "{% if 'b' is in(a) %}{% endif %}" + END, "too many steps"),
            ("{% set a = range(9999) | list %}" + FOREVER + "{% if -1 in a %}{% endif %}" + END, "too many steps"),
            ("{% set a = range(9999) | list %}" + FOREVER + "{% set x = a[1:] %}" + END, "too many steps"),
            ("{% set a = 'a' * 60000 %}" + FOREVER + "{% set x = a.count('b') %}" + END, "too many steps"),
            ("{% set a = range(9999) | list %}" + FOREVER + "{% set x = a.count(-1) %}" + END, "too many steps"),
            (NESTED + FOREVER + "{% set x = {}[a] is defined %}" + END, "too many steps"),
            (NESTED + FOREVER + "{% set x = {}.get(a) %}" + END, "too many steps"),
            (NESTED + FOREVER + "{% set x = loop.changed(a) %}" + END, "too many steps"),
            (NESTED + FOREVER + "{% set x = [a, a] | sort %}" + END, "too many steps"),
            ("{{ " + "(" * 400 + "1" + ")" * 400 + " }}", "nested too deeply"),
            ("{{ 1" + " + 1" * 2000 + " }}", "nested too deeply"),
            ("{{ " + "not " * 2000 + "1 }}", "nested too deeply"),
            ("{{ " + "[" * 400 + "]" * 400 + " }}", "nested too deeply"),
            ("{{ order" + ".a" * 2000 + " }}", "nested too deeply"),
            ("{{ 1" + " | abs" * 2000 + " }}", "nested too deeply"),
            ("{% if 1 %}" * 400 + "{% endif %}" * 400, "nested too deeply"),
            ("{% for i in [1] %}" * 30 + "{% endfor %}" * 30, "nested too deeply"),
            ("{{ " + "9" * 5000 + " }}", "limit"),
            ("x" * (16 * 1024 + 1), "larger than 16 KiB"),
            ("€" * 6000, "larger than 16 KiB"),
        ],
        ids=lambda text: text[:60],
    )  # fmt: skip
    def test_too_much_is_an_error(self, source: str, message: str) -> None:
        error = failure(source)

        assert error.template == "test"
        assert message in error.message

    def test_all_of_the_budget_can_be_used(self) -> None:
        assert render(FOREVER + END + "ok") == "ok"
        assert len(render("{{ 'x' * 65536 }}")) == 65536
        assert len(render("{% for i in range(6) %}{{ 'x' * 10000 }}{% endfor %}")) == 60000
        assert len(render("x" * 16 * 1024)) == 16 * 1024

    def test_large_data_of_an_event_can_be_asked_about(self) -> None:
        payload = {"lines": [dict.fromkeys("abcdefgh", "x")] * 5000, "name": "y"}

        assert render(
            "{{ 'name' in payload }} {{ payload.lines | length }} {{ payload['name'] }}", payload=payload
        ) == ("True 5000 y")

    def test_an_order_of_many_lines_is_well_within_the_budget(self) -> None:
        order = Order(line_items=tuple(LineItem(title=f"Item {number}") for number in range(500)))
        source = "{% for i in order.line_items %}{{ i.quantity }} of {{ i.title }} {{ i.price | money }}\n{% endfor %}"

        assert len(render(source, order=order).splitlines()) == 500

    @given(source=st.text(alphabet="{}%#|()[]'~*+-. \n12ao", max_size=40))
    def test_garbage_renders_or_is_a_template_error(self, source: str) -> None:
        sandbox = TemplateSandbox([])
        try:
            sandbox.render(sandbox.compile_text(source, "test"), {"a": "x", "o": Order()})
        except TemplateError as error:
            assert error.message  # noqa: PT017 - either outcome is right, but no other exception


class TestErrorsAreForMerchants:
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("{{ ordr.name }}", "'ordr' is not defined; did you mean 'order'?"),
            ("{{ order.nmae }}", "an Order has no 'nmae'; did you mean 'name'?"),
            ("{{ order.unit }}", "an Order has no 'unit'; did you mean 'units'?"),
            ("{{ order.line_items[0].titel }}", "a LineItem has no 'titel'; did you mean 'title'?"),
            ("{{ order.line_items[7].title }}", "a list has no '7'"),
            ("{{ shop.nam }}", "a mapping has no 'nam'; did you mean 'name'?"),
            (
                "{{ order.customer.first_name }}",
                "there is no 'first_name' here: what stands before it is nothing (none)",
            ),
            ("{{ order.name | upcase }}", "there is no filter 'upcase'"),
            ("{{ order.total | mony }}", "there is no filter 'mony'; did you mean 'money'?"),
            ("{{ order is definde }}", "there is no test 'definde'; did you mean 'defined'?"),
            ("{{ order }}", "a message cannot show an Order as a whole; name one of its fields"),
            ("{{ order.line_items }}", "a message cannot show a list; use a loop, `| join(', ')` or `| listed`"),
            ("{{ order.name.upper }}", "this is a function; call it with ()"),
            ("{{ order.name() }}", "this cannot be called in a message"),
            ("{{ order.name + 1 }}", "+ adds numbers; to join a text and a number, write ~"),
            ("{% for x in order.name %}{% endfor %}", "a loop needs a list, not a text"),
            ("{% for x in nothing %}{% endfor %}", "a loop needs a list, not nothing (none)"),
            ("{% for x in missing %}{% endfor %}", "'missing' is not defined"),
            ("{{ missing }}", "'missing' is not defined"),
            ("{{ missing + 1 }}", "'missing' is not defined"),
            ("{{ 1 ~ missing }}", "'missing' is not defined"),
            ("{{ '%s' % missing }}", "'missing' is not defined"),
            ("{{ missing | upper }}", "'missing' is not defined"),
            ("{{ missing() }}", "'missing' is not defined"),
            ("{{ missing.name }}", "'missing' is not defined"),
            ("{{ missing['name'] }}", "'missing' is not defined"),
            ("{{ missing == 1 }}", "'missing' is not defined"),
            ("{{ 1 / 0 }}", "division by zero"),
            ("{{ order.name | round }}", "the filter 'round' failed: type str doesn't define __round__ method"),
        ],
    )
    def test_what_is_wrong_and_what_was_meant(self, source: str, message: str) -> None:
        assert failure("line\nline\n" + source).message == message

    @pytest.mark.parametrize("source", ["{{ ordr }}", "{{ order.name", "{% if %}", "{{ 1 | upcase }}", "{{ 1 / 0 }}"])
    def test_where_it_is(self, source: str) -> None:
        error = failure("line\nline\n" + source + "\nline")

        assert (error.template, error.line) == ("test", 3 if source != "{{ order.name" else 4)
        assert str(error) == f"test:{error.line}: {error.message}"

    def test_an_error_in_a_macro_is_where_the_macro_fails(self) -> None:
        assert failure("{% macro m() %}\n{{ nope }}\n{% endmacro %}\n{{ m() }}").line == 2

    def test_a_long_message_is_cut(self) -> None:
        assert len(failure("{{ ('x' * 9000) | date }}").message) < 400


class TestExpressions:
    @pytest.mark.parametrize(
        ("source", "value"),
        [
            ("order.total.amount > 40", True),
            ("order.total.amount > 42.5", False),
            ("order.name == '#1234' and not order.customer", True),
            ("order.source in ['webhook', 'poll']", True),
            ("order.customer is not none", False),
            ("order.nope is defined", False),
            ("order.line_items | selectattr('title', '==', 'Mug') | list", True),
            ("order.line_items | length >= 2", True),
            ("order.name.startswith('#')", True),
            ("  true\n", True),
            ("none", False),
        ],
    )
    def test_a_condition_holds_or_not(self, source: str, value: bool) -> None:  # noqa: FBT001 - a parameter of the test
        assert TemplateSandbox([]).compile_expression(source).evaluate(CONTEXT) is value

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("order.nmae == 'x'", "an Order has no 'nmae'; did you mean 'name'?"),
            ("order.nmae", "an Order has no 'nmae'; did you mean 'name'?"),
            ("ordr", "'ordr' is not defined; did you mean 'order'?"),
            ("order.customer.first_name", "what stands before it is nothing"),
            ("order.delete()", "an Order has no 'delete'"),
            ("'x' * 10 ** 9", "beyond 65536"),
            ("range(10000) | map('string') | map('upper') | map('lower') | map('upper') | list", "too many steps"),
            ("order.name < 5", "'<' does not go with a text and a number"),
        ],
    )
    def test_what_cannot_be_said_is_an_error_not_false(self, source: str, message: str) -> None:
        expression = TemplateSandbox([]).compile_expression(source, "rules[0].if")

        with pytest.raises(TemplateError) as caught:
            expression.evaluate(CONTEXT)
        assert message in caught.value.message
        assert (caught.value.template, caught.value.line) == ("rules[0].if", None)

    @pytest.mark.parametrize(
        "source",
        [
            "",
            "order.",
            "order.name ==",
            "order name",
            "{{ order.name }}",
            "{% if order %}",
            "order %} x {% if",
            "order }} x",
            "order.__class__",
            "order | attr('x')",
            "order = 1",
            "1 if",
            "x" * 20000,
            "(" * 500,
        ],
        ids=lambda text: text[:20],
    )
    def test_what_is_no_expression_is_refused_when_compiling(self, source: str) -> None:
        with pytest.raises(TemplateError) as caught:
            TemplateSandbox([]).compile_expression(source, "rules[0].if")
        assert str(caught.value).startswith("rules[0].if: ")

    def test_braces_get_a_hint(self) -> None:
        with pytest.raises(TemplateError, match=r"^if: .*without \{\{ \}\}"):
            TemplateSandbox([]).compile_expression("{{ order.name }}")

    @pytest.mark.parametrize("source", ["  {{ order.name }}", "{% if order %}"])
    def test_so_do_blanks_before_them_and_statements(self, source: str) -> None:
        with pytest.raises(TemplateError, match=r"without \{\{ \}\}"):
            TemplateSandbox([]).compile_expression(source)


class TestPlugins:
    def test_a_plugin_brings_filters_and_tests(self) -> None:
        sandbox = TemplateSandbox(
            [],
            filters={"points": lambda amount, rate=1: int(amount * rate)},
            tests={"large": lambda amount: amount > 40},
        )
        template = sandbox.compile_text(
            "{{ order.total.amount | points(rate=2) }} {{ order.total.amount is large }}", "t"
        )

        assert sandbox.render(template, CONTEXT) == "85 True"

    def test_a_filter_may_ask_for_what_jinja_passes(self) -> None:
        @pass_context
        def shop_name(context: Mapping[str, Mapping[str, str]], text: str) -> str:
            return f"{context['shop']['name']} {text}"

        @pass_environment
        def environment_kind(environment: object, text: str) -> str:
            return f"{text}{type(environment).__name__}"

        @pass_eval_context
        def escapes(eval_context: object, text: str) -> str:
            return f"{text}{getattr(eval_context, 'autoescape', None)}"

        @pass_context
        def is_shop(context: Mapping[str, Mapping[str, str]], text: str) -> bool:
            return context["shop"]["name"] == text

        sandbox = TemplateSandbox(
            [], filters={"a": shop_name, "b": environment_kind, "c": escapes}, tests={"shop": is_shop}
        )
        template = sandbox.compile_text("{{ 'x' | a }} {{ 'x' | b }} {{ 'x' | c }} {{ 'Acme' is shop }}", "t")

        assert sandbox.render(template, CONTEXT) == "Acme x xMessageEnvironment xFalse True"

    def test_a_filter_that_asks_what_may_be_read_gets_the_sandbox_s_answer(self) -> None:
        @pass_environment
        def shown(environment: SandboxedEnvironment, value: object, name: str) -> str:
            return name if environment.is_safe_attribute(value, name, None) else "-"

        sandbox = TemplateSandbox([], filters={"shown": shown})
        template = sandbox.compile_text("{{ order | shown('name') }} {{ order | shown('delete') }}", "t")

        assert sandbox.render(template, CONTEXT) == "name -"

    def test_a_plugins_fault_names_its_filter(self) -> None:
        def broken(_value: object) -> str:
            raise KeyError("points")

        sandbox = TemplateSandbox([], filters={"broken": broken}, tests={"odder": broken})

        for source in ("{{ 1 | broken }}", "{{ 1 is odder }}", "{{ [1] | map('broken') | join }}"):
            with pytest.raises(TemplateError, match=r"the (filter|test) '(broken|odder)' failed: 'points'") as caught:
                sandbox.render(sandbox.compile_text(source, "t"), {})
            assert caught.value.line == 1

    def test_what_a_plugins_filter_makes_is_bounded_too(self) -> None:
        sandbox = TemplateSandbox([], filters={"flood": lambda _value: "x" * 10**6})

        with pytest.raises(TemplateError, match="beyond 65536"):
            sandbox.render(sandbox.compile_text("{{ 1 | flood | length }}", "t"), {})

    @pytest.mark.parametrize("name", ["money", "default", "map", "join"])
    def test_a_name_that_is_taken_is_an_error(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"the filter '{name}' exists already"):
            TemplateSandbox([], filters={name: str})
        with pytest.raises(ValueError, match="the test 'odd' exists already"):
            TemplateSandbox([], tests={"odd": bool})
