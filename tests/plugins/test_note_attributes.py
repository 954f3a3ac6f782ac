"""The PSID from an order's note attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from shopbot.plugin import Resolution, Trust
from shopbot.testing.contracts import PSID, ResolverContract
from shopbot.testing.orders import paid_order
from shopbot_plugins import note_attributes


class TestNoteAttributes(ResolverContract):
    module = note_attributes
    settings: ClassVar = {"key": "psid"}
    order = paid_order(psid=PSID)

    async def of(self, *attributes: Mapping[str, Any], **settings: str) -> Resolution | None:
        async with self.running(**settings) as running:
            return await self.resolve(running, {"id": 1, "note_attributes": list(attributes)})

    async def test_a_value_must_be_vouched_for_unless_the_merchant_says_otherwise(self) -> None:
        attribute = {"name": "psid", "value": PSID}

        assert await self.of(attribute) == Resolution(psid=PSID, trust=Trust.KNOWN_SHOPPER)
        for trust in Trust:
            assert await self.of(attribute, trust=trust.value) == Resolution(psid=PSID, trust=trust)

    async def test_the_name_must_be_exact(self) -> None:
        names = ("PSID", "psid ", "_psid", "psid2", "")

        assert await self.of(*({"name": name, "value": PSID} for name in names)) is None
        assert await self.of({"name": "messenger_psid", "value": PSID}, key="messenger_psid") is not None

    @pytest.mark.parametrize("value", ["", " ", "\n\t", None, [], {"a": 1}, True])
    async def test_a_blank_or_unreadable_value_is_not_a_user(self, value: object) -> None:
        """Shops leave the field in place for guests."""
        assert await self.of({"name": "psid", "value": value}) is None

    async def test_spaces_around_the_value_do_not_matter(self) -> None:
        resolution = await self.of({"name": "psid", "value": f" {PSID}\n"})

        assert resolution is not None
        assert resolution.psid == PSID

    async def test_a_number_is_read_as_its_digits(self) -> None:
        resolution = await self.of({"name": "psid", "value": int(PSID)})

        assert resolution is not None
        assert resolution.psid == PSID

    @pytest.mark.parametrize("values", [["1", PSID], ["1", PSID, ""], ["1", PSID, "  "], [PSID]])
    async def test_of_several_values_the_last_that_is_not_blank_counts(self, values: Sequence[str]) -> None:
        resolution = await self.of(*({"name": "psid", "value": value} for value in values))

        assert resolution is not None
        assert resolution.psid == PSID

    async def test_what_is_no_psid_is_passed_on_so_that_the_host_can_say_why_it_refuses_it(self) -> None:
        resolution = await self.of({"name": "psid", "value": "ada@example.com"})

        assert resolution is not None
        assert resolution.psid == "ada@example.com"


@pytest.mark.parametrize("settings", [{"key": ""}, {"key": 5}, {"trust": "everybody"}])
def test_settings_that_make_no_sense_are_refused(settings: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        note_attributes.Config.model_validate(settings)
