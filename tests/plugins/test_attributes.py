"""The PSID from an order's attributes, in the spelling of the GraphQL APIs."""

from __future__ import annotations

from typing import ClassVar

import pytest

from shopbot.plugin import Resolution, Trust
from shopbot.testing.contracts import PSID, ResolverContract
from shopbot_plugins import attributes


class TestAttributes(ResolverContract):
    module = attributes
    settings: ClassVar = {"key": "psid"}
    order: ClassVar = {"id": 1, "attributes": [{"key": "gift", "value": "yes"}, {"key": "psid", "value": PSID}]}

    async def of(self, body: dict[str, object], **settings: str) -> Resolution | None:
        async with self.running(**settings) as running:
            return await self.resolve(running, {"id": 1, **body})

    @pytest.mark.parametrize("field", ["attributes", "customAttributes"])
    async def test_both_spellings_are_read(self, field: str) -> None:
        resolution = await self.of({field: [{"key": "psid", "value": f" {PSID} "}]})

        assert resolution == Resolution(psid=PSID, trust=Trust.KNOWN_SHOPPER)

    async def test_the_merchant_chooses_key_and_trust(self) -> None:
        resolution = await self.of({"attributes": [{"key": "shopper", "value": PSID}]}, key="shopper", trust="any")

        assert resolution == Resolution(psid=PSID, trust=Trust.ANY)

    async def test_note_attributes_are_left_to_the_other_plugin(self) -> None:
        assert await self.of({"note_attributes": [{"name": "psid", "value": PSID}]}) is None

    @pytest.mark.parametrize("value", ["", "  ", None])
    async def test_a_blank_value_is_not_a_user(self, value: object) -> None:
        assert await self.of({"attributes": [{"key": "psid", "value": value}]}) is None

    async def test_of_several_values_the_last_that_is_not_blank_counts(self) -> None:
        entries = [{"key": "psid", "value": value} for value in ("1", PSID, " ")]
        resolution = await self.of({"attributes": entries})

        assert resolution is not None
        assert resolution.psid == PSID
