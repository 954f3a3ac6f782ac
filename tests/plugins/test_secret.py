from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from shopbot.plugin import SecretStr
from shopbot_plugins._secret import Secret, Token

SECRET: TypeAdapter[SecretStr] = TypeAdapter(Secret)
TOKEN: TypeAdapter[SecretStr] = TypeAdapter(Token)


@pytest.mark.parametrize("text", ["x", "two words", "schlüssel"])
def test_a_key_for_signatures_may_be_any_text(text: str) -> None:
    assert SECRET.validate_python(text).get_secret_value() == text


@pytest.mark.parametrize("text", ["", " ", "\n", " x", "x ", "x\n"])
def test_a_key_for_signatures_has_something_in_it_and_no_blanks_around_it(text: str) -> None:
    with pytest.raises(ValidationError, match=r"must not be empty|white space"):
        SECRET.validate_python(text)


@pytest.mark.parametrize("text", ["x", "EAAB|1234-~", "!"])
def test_a_token_for_a_header_is_made_of_visible_ascii(text: str) -> None:
    assert TOKEN.validate_python(text).get_secret_value() == text


@pytest.mark.parametrize("text", ["", "two words", "tab\t", "line\r\nX-Injected: 1", "schlüssel", "\x7f"])
def test_a_token_that_a_header_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="ASCII letters"):
        TOKEN.validate_python(text)
