from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from babel.dates import format_skeleton
from pydantic import BaseModel

from shopbot.messages.locales import locale_chain
from shopbot.messages.sandbox import TemplateError, TemplateSandbox

BUNDLED = Path(__file__).parents[2] / "templates"
NAME = "order_confirmation.txt.j2"


class Order(BaseModel, frozen=True):
    name: str = "#1234"
    estimated_delivery: date | None = date(2026, 2, 10)


def confirmation(customer_locale: str | None, shop_locale: str = "en", order: Order | None = None) -> str:
    sandbox = TemplateSandbox([BUNDLED])
    template = sandbox.find_localised(NAME, locale_chain(customer_locale, shop_locale))
    return sandbox.render(template, {"order": order or Order()})


def test_the_confirmation_is_exactly_the_four_lines_of_the_design() -> None:
    assert confirmation(None) == (
        "Order confirmed! 🎉\nOrder #1234\nEst. delivery: Feb 10\nTrack your order: type 'Where's my order?'"
    )


def test_without_an_estimate_the_line_is_left_out() -> None:
    assert confirmation(None, order=Order(estimated_delivery=None)) == (
        "Order confirmed! 🎉\nOrder #1234\nTrack your order: type 'Where's my order?'"
    )


@pytest.mark.parametrize(
    ("locale", "first", "delivery"),
    [
        ("de", "Bestellung bestätigt! 🎉", "Voraussichtliche Lieferung: 10. Feb."),
        ("de-AT", "Bestellung bestätigt! 🎉", "Voraussichtliche Lieferung: 10. Feb."),
        ("fr-CA", "Commande confirmée\u202f! 🎉", "Livraison estimée\xa0: 10 févr."),
        ("es", "¡Pedido confirmado! 🎉", "Entrega estimada: 10 feb"),
        ("pt_BR", "Pedido confirmado! 🎉", "Entrega prevista: 10 de fev."),
        ("ar", "تم تأكيد طلبك! 🎉", "موعد التسليم المتوقع: 10 فبراير"),
        ("en-GB", "Order confirmed! 🎉", "Est. delivery: 10 Feb"),
    ],
)
def test_a_shopper_reads_their_language_with_dates_in_it(locale: str, first: str, delivery: str) -> None:
    lines = confirmation(locale).splitlines()

    assert len(lines) == 4
    assert lines[0] == first
    assert "#1234" in lines[1]
    assert lines[2] == delivery


def test_a_region_reads_its_languages_text_with_its_own_dates() -> None:
    """Babel changes how Portugal writes them from one CLDR to the next: what matters is that they are Portugal's."""
    delivery = format_skeleton("MMMd", datetime(2026, 2, 10, tzinfo=UTC), locale="pt_PT")

    assert confirmation("pt-PT").splitlines()[2] == f"Entrega prevista: {delivery}"


def test_an_unknown_language_gets_the_shops() -> None:
    assert confirmation("nl", "de").startswith("Bestellung bestätigt!")
    assert confirmation("nl", "en").startswith("Order confirmed!")
    assert confirmation("../../secret", "fr").startswith("Commande")


def test_an_english_shopper_of_a_german_shop_reads_english() -> None:
    assert confirmation("en-US", "de").startswith("Order confirmed!")


def test_every_translation_compiles_and_says_the_same_things() -> None:
    sandbox = TemplateSandbox([BUNDLED])
    names = sorted(path.name for path in BUNDLED.glob("order_confirmation*.j2"))

    assert len(names) == 7
    for name in names:
        text = sandbox.render(sandbox.compile_file(name), {"order": Order()}, locale="en")
        assert len(text.splitlines()) == 4, name
        assert "#1234" in text
        assert "Feb 10" in text


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, source in files.items():
        (directory / f"{name.replace('__', '.').replace('_AT', '-AT')}.j2").write_text(source, encoding="utf-8")
    return directory


def test_the_closest_language_with_a_file_wins(tmp_path: Path) -> None:
    sandbox = TemplateSandbox([write(tmp_path, hi="default", hi__de="de", hi__de_AT="de-AT", hi__fr="fr")])

    def found(*locales: str) -> tuple[str, str | None]:
        template = sandbox.find_localised("hi.j2", locales)
        return template.name, template.locale

    assert found("de-AT", "de", "en") == ("hi.de-AT.j2", "de-AT")
    assert found("de-CH", "de", "en") == ("hi.de.j2", "de-CH")
    assert found("nl", "fr") == ("hi.fr.j2", "fr")
    assert found("nl", "en") == ("hi.j2", "en")
    assert found("nl", "en-GB", "en") == ("hi.j2", "en-GB")
    assert found() == ("hi.j2", None)


def test_a_folder_with_a_point_in_its_name_has_translations_too(tmp_path: Path) -> None:
    write(tmp_path / "v1.2", hi="default", hi__de="de")

    assert TemplateSandbox([tmp_path]).find_localised("v1.2/hi.j2", ["de"]).name == "v1.2/hi.de.j2"


def test_one_text_of_the_merchants_own_replaces_all_bundled_translations(tmp_path: Path) -> None:
    own = write(tmp_path / "own", hi="mine")
    bundled = write(tmp_path / "bundled", hi="bundled", hi__de="bundled de", bye="bundled bye")
    sandbox = TemplateSandbox([own, tmp_path / "missing", bundled])

    assert sandbox.render(sandbox.find_localised("hi.j2", ["de"]), {}) == "mine"
    assert sandbox.render(sandbox.find_localised("bye.j2", ["de"]), {}) == "bundled bye"


def test_all_translations_can_be_listed_for_a_check(tmp_path: Path) -> None:
    own = write(tmp_path / "own", hi__nl="nl", bye="own")
    bundled = write(tmp_path / "bundled", hi="default", hi__de="de", hide="other", bye="b", bye__de="never chosen")
    sandbox = TemplateSandbox([own, bundled])

    assert sandbox.translations("hi.j2") == ["hi.de.j2", "hi.j2", "hi.nl.j2"]
    assert sandbox.translations("bye.j2") == ["bye.j2"]
    assert sandbox.translations("nothing.j2") == []
    with pytest.raises(TemplateError):
        sandbox.translations("../hi.j2")


def test_the_choice_of_a_language_is_remembered(tmp_path: Path) -> None:
    sandbox = TemplateSandbox([write(tmp_path, hi="default")])

    assert sandbox.find_localised("hi.j2", ["de"]) is sandbox.find_localised("hi.j2", ["de"])


def test_the_choices_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shoppers' browsers may name any number of languages."""
    monkeypatch.setattr("shopbot.messages.sandbox._MAX_CHAINS", 2)
    sandbox = TemplateSandbox([write(tmp_path, hi="default", hi__de="de")])
    german = sandbox.find_localised("hi.j2", ["de"])
    french = sandbox.find_localised("hi.j2", ["fr"])

    assert sandbox.find_localised("hi.j2", ["de"]) is german
    assert sandbox.find_localised("hi.j2", ["fr"]) is french
    sandbox.find_localised("hi.j2", ["nl"])
    again = sandbox.find_localised("hi.j2", ["de"])
    assert again is not german
    assert again == german


def test_a_template_is_written_in_its_own_language_unless_another_is_asked_for(tmp_path: Path) -> None:
    sandbox = TemplateSandbox([write(tmp_path, hi="{{ 1234.5 | number }}", hi__de="{{ 1234.5 | number }}")])
    german = sandbox.find_localised("hi.j2", ["de"])

    assert sandbox.render(german, {}) == "1.234,5"
    assert sandbox.render(german, {}, locale="en") == "1,234.5"
    assert sandbox.render(sandbox.compile_file("hi.j2"), {}) == "1,234.5"


def test_a_template_s_file_can_be_shown_where_it_has_one(tmp_path: Path) -> None:
    sandbox = TemplateSandbox([write(tmp_path, hi="Hi")])

    assert sandbox.path(sandbox.compile_file("hi.j2")) == tmp_path / "hi.j2"
    assert sandbox.path(sandbox.compile_text("Hi", "messages.hi.text")) is None
    assert sandbox.path(sandbox.compile_text("Hi", "nothing.j2")) is None


@pytest.mark.parametrize("name", ["../x.j2", "x.txt"])
def test_a_name_that_is_none_is_not_called_missing(name: str) -> None:
    with pytest.raises(TemplateError, match="the name of a template"):
        TemplateSandbox([BUNDLED]).compile_file(name)


def test_a_missing_file_is_an_error_with_a_suggestion() -> None:
    sandbox = TemplateSandbox([BUNDLED])

    with pytest.raises(TemplateError, match=r"no such template; did you mean 'order_confirmation\.txt\.j2'"):
        sandbox.compile_file("order_confirmatoin.txt.j2")
    with pytest.raises(TemplateError, match="no such template"):
        sandbox.find_localised("nothing.j2", ["de"])


@pytest.mark.parametrize(
    "name", ["../x.j2", "/etc/x.j2", "a/../../x.j2", "x.txt", "a\\b.j2", "", ".j2", "a//b.j2", "x\n.j2"]
)
def test_a_name_that_could_leave_the_directories_is_an_error(name: str) -> None:
    sandbox = TemplateSandbox([BUNDLED])

    with pytest.raises(TemplateError):
        sandbox.compile_file(name)
    with pytest.raises(TemplateError):
        sandbox.find_localised(name, ["de"])


def test_templates_include_import_and_extend_others_in_the_directories(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="<{% block body %}base{% endblock %}>",
        child="{% extends 'base.j2' %}{% block body %}child of {{ super() }}{% endblock %}",
        macros="{% macro shout(text) %}{{ text | upper }} {{ order.name }}{% endmacro %}",
        user="{% import 'macros.j2' as m %}{% from 'macros.j2' import shout %}{{ m.shout('a') }} {{ shout('b') }}",
        both="{% include 'child.j2' %} {% include 'user.j2' without context %} {% include 'nope.j2' ignore missing %}",
        either="{% include ['nope.j2', 'base.j2'] %}",
    )
    sandbox = TemplateSandbox([tmp_path])

    assert sandbox.render(sandbox.compile_file("both.j2"), {"order": Order()}) == "<child of base> A #1234 B #1234 "
    assert sandbox.render(sandbox.compile_file("either.j2"), {}) == "<base>"


def test_a_block_can_be_written_with_those_of_all_that_it_extends(tmp_path: Path) -> None:
    write(tmp_path, c="{% block x %}c{% endblock %}", b="{% extends 'c.j2' %}{% block x %}b{% endblock %}")
    write(tmp_path, a="{% extends 'b.j2' %}{% block x %}a{{ super() }}{{ super.super() }}{% endblock %}")
    sandbox = TemplateSandbox([tmp_path])

    assert sandbox.render(sandbox.compile_file("a.j2"), {}) == "abc"


def test_an_error_in_an_included_file_names_that_file_when_compiling(tmp_path: Path) -> None:
    write(tmp_path, outer="{% include 'inner.j2' %}", inner="one\n{{ two | upcase }}")

    with pytest.raises(TemplateError, match="no filter 'upcase'") as caught:
        TemplateSandbox([tmp_path]).compile_file("outer.j2")
    assert (caught.value.template, caught.value.line) == ("inner.j2", 2)


def test_an_error_in_an_included_file_names_that_file_when_rendering(tmp_path: Path) -> None:
    write(tmp_path, outer="\n{% include 'inner.j2' %}", inner="one\n{{ order.nmae }}")
    sandbox = TemplateSandbox([tmp_path])

    with pytest.raises(TemplateError, match="an Order has no 'nmae'; did you mean 'name'") as caught:
        sandbox.render(sandbox.compile_file("outer.j2"), {"order": Order()})
    assert (caught.value.template, caught.value.line) == ("inner.j2", 2)
    assert str(caught.value).startswith("inner.j2:2: ")


def test_a_missing_include_is_found_when_compiling(tmp_path: Path) -> None:
    write(tmp_path, outer="a\n{% include 'iner.j2' %}", inner="")

    with pytest.raises(TemplateError, match=r"no template 'iner\.j2'; did you mean 'inner\.j2'") as caught:
        TemplateSandbox([tmp_path]).compile_file("outer.j2")
    assert caught.value.line == 2


def test_templates_that_include_each_other_are_found_when_compiling(tmp_path: Path) -> None:
    write(tmp_path, a="{% include 'b.j2' %}", b="{% extends 'a.j2' %}", self="{% include 'self.j2' %}")
    sandbox = TemplateSandbox([tmp_path])

    for name in ("a.j2", "self.j2"):
        with pytest.raises(TemplateError, match="includes itself"):
            sandbox.compile_file(name)


def test_a_file_that_is_too_large_or_no_text_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, large="x" * (16 * 1024 + 1), most="x" * 16 * 1024)
    (tmp_path / "latin.j2").write_bytes(b"ok\nK\xe4se")
    sandbox = TemplateSandbox([tmp_path])

    assert len(sandbox.render(sandbox.compile_file("most.j2"), {})) == 16 * 1024
    with pytest.raises(TemplateError, match="larger than 16 KiB"):
        sandbox.compile_file("large.j2")
    with pytest.raises(TemplateError, match="UTF-8") as caught:
        sandbox.compile_file("latin.j2")
    assert caught.value.line == 2


def test_rendering_reads_no_files(tmp_path: Path) -> None:
    write(tmp_path, outer="{% include 'inner.j2' %}", inner="inner")
    sandbox = TemplateSandbox([tmp_path])
    template = sandbox.compile_file("outer.j2")

    for path in tmp_path.iterdir():
        path.unlink()

    assert sandbox.render(template, {}) == "inner"
