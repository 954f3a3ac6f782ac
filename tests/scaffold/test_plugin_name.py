"""Names that a new plugin can have, and why another one cannot."""

from __future__ import annotations

import pytest

from shopbot.discovery import Found, PluginError, discover
from shopbot.scaffold.plugin_name import already_taken, wrong_form


@pytest.mark.parametrize("name", ["a", "loyalty", "customer_list", "erp2_feed", "x" * 40])
def test_a_python_identifier_in_small_letters_is_a_name(name: str) -> None:
    assert wrong_form(name) is None
    assert already_taken(name, "resolver", discover()) is None


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("customer-list", "did you mean 'customer_list'?"),
        ("CustomerList", "did you mean 'customer_list'?"),
        ("customer list", "did you mean 'customer_list'?"),
        ("_customer__list_", "did you mean 'customer_list'?"),
        ("customer.list", "did you mean 'customer_list'?"),
        ("../customer/list", "did you mean 'customer_list'?"),
        ("shopbot_customer_list", "is called shopbot_… anyway; did you mean 'customer_list'?"),
        ("shopbot-customer-list", "did you mean 'customer_list'?"),
        ("2nd", "begins with a letter"),
        ("", "begins with a letter"),
        ("größe", "small letters"),
        ("import", "'import' is a word of Python's own"),
        ("x" * 41, "40 characters at most"),
    ],
)
def test_another_form_is_refused_with_what_was_meant(name: str, complaint: str) -> None:
    assert complaint in str(wrong_form(name))


@pytest.mark.parametrize(
    ("name", "kind", "complaint"),
    [
        ("redis_cart", "cart", "a plugin named 'redis_cart' is there: shopbot"),
        ("mine", "cart", "a plugin named 'mine' is there: plugins.d/mine.py"),
        ("twice", "cart", "two plugins are called 'twice'"),
        ("resolve_psid", "resolver", "a step named 'resolve_psid' is built in"),
        ("money", "filters", "a filter named 'money' is built in"),
        ("tojson", "filters", "a filter named 'tojson' is built in"),
        ("plugins", "step", "a package named 'shopbot_plugins' is installed"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_who_has_it(name: str, kind: str, complaint: str) -> None:
    catalogue = {
        **discover(),
        "mine": Found(name="mine", origin="plugins.d/mine.py", version=""),
        "twice": PluginError("two plugins are called 'twice': one and another; rename one"),
    }

    assert complaint in str(already_taken(name, kind, catalogue))


def test_a_filter_s_name_is_free_for_a_plugin_of_another_kind() -> None:
    assert already_taken("money", "resolver", discover()) is None
