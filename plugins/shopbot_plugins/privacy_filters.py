"""Filters for messages that show less of a person: initials, masked addresses.

    plugins:
      - use: privacy_filters
        hidden: "…"

In a template: `{{ order.customer.last_name | initial }}` gives "L.", `{{ order.email | mask_email }}` "a…@example.com",
`{{ order.phone | mask_phone }}` "…67". `hidden` is what stands for the characters that are left out. What is missing
gives an empty text.
"""

from collections.abc import Callable, Mapping

from shopbot.plugin import Field, PluginConfig, hookimpl

_SHOWN_DIGITS = 2
_FEWEST_DIGITS = 6


class Config(PluginConfig):
    """What `use: privacy_filters` accepts."""

    hidden: str = Field(
        "…", strict=True, min_length=1, max_length=10, description="What stands for characters that are left out."
    )


class Plugin:
    """Brings the filters `initial`, `mask_email` and `mask_phone`."""

    def __init__(self, config: Config) -> None:
        self._hidden = config.hidden

    @hookimpl
    def template_filters(self) -> Mapping[str, Callable[..., object]]:
        """Name the filters."""
        return {"initial": self._initial, "mask_email": self._mask_email, "mask_phone": self._mask_phone}

    def _initial(self, name: object) -> str:
        """Shorten a name to its first letter and a full stop."""
        text = _text(name)
        return f"{text[0].upper()}." if text else ""

    def _mask_email(self, address: object) -> str:
        """Show the first letter of an e-mail address, and its domain; what is no address is hidden whole."""
        text = _text(address)
        name, at, domain = text.rpartition("@")
        if name and domain:
            return f"{name[0]}{self._hidden}{at}{domain}"
        return self._hidden if text else ""

    def _mask_phone(self, number: object) -> str:
        """Show the last two digits of a telephone number; of a short one, none."""
        text = _text(number)
        digits = [character for character in text if character.isdecimal()]
        if len(digits) < _FEWEST_DIGITS:
            return self._hidden if text else ""
        return self._hidden + "".join(digits[-_SHOWN_DIGITS:])


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
