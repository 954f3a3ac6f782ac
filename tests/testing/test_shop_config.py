"""Sections of a configuration, replaced as text."""

from __future__ import annotations

import pytest

from shopbot.testing.shop_config import with_sections

CONFIG = """\
shop: {name: Acme}
carts:
  - {use: redis_cart}
# about messages
messages:
  one: {text: "a: b"}
"""


def test_a_section_takes_the_place_of_the_one_of_its_name() -> None:
    assert with_sections(CONFIG, "carts:\n  - {use: http_cart}") == CONFIG.replace("redis_cart", "http_cart").replace(
        "# about messages\n", ""
    )


def test_a_section_of_another_name_comes_last() -> None:
    assert with_sections(CONFIG, "pollers: []") == f"{CONFIG}pollers: []\n"


def test_the_changes_may_be_indented_and_have_comments() -> None:
    changes = """
        # ours
        plugins:
          - use: mine
            text: "x: y"   # a remark
        carts: []
    """
    assert with_sections(CONFIG, changes) == (
        'shop: {name: Acme}\ncarts: []\nmessages:\n  one: {text: "a: b"}\n'
        'plugins:\n  - use: mine\n    text: "x: y"   # a remark\n'
    )


def test_without_changes_it_stays_as_it_is() -> None:
    assert with_sections(CONFIG, "") == CONFIG


@pytest.mark.parametrize("changes", ["- use: mine", "  - {use: mine}\ncarts: []", "mine"])
def test_what_is_no_section_is_refused(changes: str) -> None:
    with pytest.raises(ValueError, match=r"expected sections of shopbot\.yaml"):
        with_sections(CONFIG, changes)
