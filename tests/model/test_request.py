"""A request that nobody trusts yet."""

from __future__ import annotations

import pytest

from shopbot.model.request import InboundRequest, Origin


def test_what_may_be_secret_or_about_a_person_is_not_shown() -> None:
    request = InboundRequest(
        Origin.MESSENGER, {"X-Token": "hidden"}, b"hidden", method="GET", query={"hub.verify_token": "hidden"}
    )

    assert repr(request) == ("InboundRequest(route=<Origin.MESSENGER: 'messenger'>, headers=['X-Token'], method='GET')")


def test_no_verifier_can_change_what_the_next_one_sees() -> None:
    request = InboundRequest(Origin.SHOPIFY, {}, b"{}")

    with pytest.raises(AttributeError):
        request.body = b"another"  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.query["asked"] = "x"  # type: ignore[index]
