"""Every key that shopbot can write is in the inventory, which the manual prints and erasures go by."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopbot.model.shared_keys import SharedKeys
from shopbot.privacy.inventory import KINDS, Inventory
from shopbot.store.keys import Keys

KEYS, SHARED = Keys("acme.myshopify.com"), SharedKeys()
PARTS = {
    "psid": "7312345678901234",
    "order_id": 1001,
    "event_id": "webhook:b54557e4",
    "rule": "order_confirmation",
    "subject": "order:1001#2",
    "business_key": "order_confirmation:order:1001",
    "purpose": "order_update",
    "token": "eeafa272cebfd4b22385bc4b645e762c",
    "nonce": "00112233445566778899aabb",
    "pseudonym": "25831e6e5089c8df5d151f8e21550dbf",
    "task_id": "webhook:b54557e4",
    "name": "shopify_orders",
}


def all_keys(of: Keys | SharedKeys) -> Iterator[tuple[str, str]]:
    """Give what each builder of names builds."""
    for name, member in inspect.getmembers(type(of)):
        if name.startswith(("_", "read_")) or name in ("prefix", "shop", "order_references"):
            continue
        if isinstance(member, property):
            yield name, getattr(of, name)
        elif callable(member):
            arguments = list(inspect.signature(member).parameters)[1:]
            yield name, member(of, *(PARTS[argument] for argument in arguments))


@pytest.mark.parametrize(("name", "key"), [*all_keys(KEYS), *all_keys(SHARED)], ids=lambda value: value)
def test_every_key_that_can_be_written_has_its_place(name: str, key: str) -> None:
    found = Inventory(KEYS, SHARED).find(key)

    assert found is not None
    assert found.kind is not None, f"add {key} to KINDS in privacy/inventory.py: what it holds, why, and how long"


def test_no_kind_is_one_that_nobody_writes() -> None:
    keys = [key for _, key in (*all_keys(KEYS), *all_keys(SHARED))]
    inventory = Inventory(KEYS, SHARED)

    written = {found.kind for key in keys if (found := inventory.find(key)) is not None}
    assert [kind.form for kind in KINDS if kind not in written] == []


def test_a_key_that_names_a_shopper_or_an_order_counts_as_personal() -> None:
    for kind in KINDS:
        if "{psid}" in kind.form or "{order_id}" in kind.form or "{event_id}" in kind.form:
            assert kind.personal, kind.form


def test_names_are_taken_apart() -> None:
    inventory = Inventory(KEYS, SharedKeys("acme:"))
    for key, parts in {
        "acme:order_reference:73:1001": {"psid": "73", "order_id": "1001"},
        "acme:order_reference:unresolved:1001": {"psid": "unresolved", "order_id": "1001"},
        KEYS.claim("shipped", "fulfillment:5"): {"rule": "shipped", "subject": "fulfillment:5"},
        KEYS.event("poll:1001:2026-11-23T10:15:30+00:00"): {"event_id": "poll:1001:2026-11-23T10:15:30+00:00"},
        KEYS.limit("order_update", "73"): {"purpose": "order_update", "psid": "73"},
    }.items():
        found = inventory.find(key)
        assert found is not None
        assert found.parts == parts


@pytest.mark.parametrize(
    "key",
    [
        "cart:73",
        "other:cart:73",
        "acme:cart",
        "acme:carts:73",
        "acme:cart:73:5",
        "acme:session:73",
        "shopbot:{other.myshopify.com}:conversation:73",
        "sessions",
        "",
    ],
)
def test_keys_of_other_shops_and_programs_are_nobody_s(key: str) -> None:
    assert Inventory(KEYS, SharedKeys("acme:")).find(key) is None


def test_without_a_prefix_another_shop_s_keys_are_its_own_all_the_same() -> None:
    inventory = Inventory(KEYS, SHARED)

    assert inventory.find("cart:73") is not None
    for key in ("other:cart:73", "other:order_reference:73:1001", Keys("other.myshopify.com").conversation("73")):
        assert inventory.find(key) is None


def test_a_prefix_that_looks_like_a_kind_of_key_mixes_no_shops() -> None:
    plain, odd = Inventory(KEYS, SHARED), Inventory(Keys("odd.myshopify.com"), SharedKeys("cart:"))

    for key in (SharedKeys("cart:").cart("73"), SharedKeys("cart:").order_reference("73", 1001)):
        assert plain.find(key) is None
        assert odd.find(key) is not None
    assert odd.find(SHARED.cart("73")) is None


def test_a_key_of_a_later_release_is_the_shop_s_and_of_no_known_kind() -> None:
    found = Inventory(KEYS, SHARED).find(f"{KEYS.prefix}wish_list:73")

    assert found is not None
    assert (found.kind, found.name) == (None, "")


def test_the_manual_prints_the_inventory() -> None:
    text = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")

    for kind in KINDS:
        assert f"| `{kind.form}`" in text
