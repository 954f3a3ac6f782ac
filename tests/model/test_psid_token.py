"""Signed tokens: what they say comes back, and nothing else is ever read out of a text."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopbot.model.psid import is_psid
from shopbot.model.psid_token import LONGEST_TOKEN, InvalidTokenError, PsidTokens, TokenKey, looks_like_token

PAGE = "102290129340398"
PSID = "7312345678901234"
EXPIRES = datetime(2026, 12, 23, 9, 15, tzinfo=UTC)
A, B = TokenKey("a", b"a" * 32), TokenKey("b", b"b" * 32)
CODEC = PsidTokens([A])
TOKEN, NONCE = CODEC.issue(PAGE, PSID, EXPIRES)

digits = st.text("0123456789", min_size=1, max_size=32)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds are naive by hypothesis' rule


@given(page_id=st.just("") | digits, psid=digits, expires_at=moments)
@example(page_id="", psid="0", expires_at=EXPIRES)
@example(page_id="0" * 32, psid="9" * 32, expires_at=EXPIRES)
@example(page_id=PAGE, psid="1", expires_at=datetime(2515, 1, 1, 0, 0, 0, 1, tzinfo=UTC))
@example(page_id=PAGE, psid="0007312345678901234", expires_at=EXPIRES)
def test_what_was_put_in_comes_out(page_id: str, psid: str, expires_at: datetime) -> None:
    text, nonce = CODEC.issue(page_id, psid, expires_at)
    token = CODEC.read(text)

    assert (token.page_id, token.psid, token.nonce) == (page_id, psid, nonce)
    assert timedelta(0) <= token.expires_at - expires_at < timedelta(seconds=1)


@given(page_id=digits, psid=digits)
def test_a_token_is_short_fits_a_url_and_is_never_a_psid(page_id: str, psid: str) -> None:
    text, _ = PsidTokens([TokenKey("k" * 16, b"x" * 32)]).issue(page_id, psid, EXPIRES)

    assert len(text) <= LONGEST_TOKEN
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert looks_like_token(text)
    assert not is_psid(text)


def test_an_everyday_token_is_shorter_than_eighty_characters() -> None:
    assert len(TOKEN) < 80


@given(position=st.integers(0, len(TOKEN) - 1), bit=st.integers(0, 7))
def test_any_bit_flipped_is_refused(position: int, bit: int) -> None:
    changed = TOKEN[:position] + chr(ord(TOKEN[position]) ^ (1 << bit)) + TOKEN[position + 1 :]

    with pytest.raises(InvalidTokenError):
        CODEC.read(changed)


def test_every_single_bit_of_what_is_signed_counts() -> None:
    """All of them, the bits that base64 leaves unused at the end included."""
    head, encoded = TOKEN[:6], TOKEN[6:]
    content = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTokenError, match="signature"):
            CODEC.read(head + base64.urlsafe_b64encode(flipped).rstrip(b"=").decode())


@given(st.text(max_size=200) | st.from_regex(r"\Asb1\.a\.[A-Za-z0-9_-]{0,160}\Z"))
def test_no_text_that_was_not_signed_is_read(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        CODEC.read(text)


@given(cut=st.integers(0, len(TOKEN) - 1))
def test_a_token_that_was_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(InvalidTokenError):
        CODEC.read(TOKEN[:cut])


@pytest.mark.parametrize(
    "text",
    [
        TOKEN + "=",
        TOKEN + "A",
        " " + TOKEN,
        TOKEN + "\n",
        TOKEN.replace("sb1.", "sb2."),
        TOKEN.replace("sb1.", "SB1."),
        TOKEN.replace(".a.", ".b."),
        TOKEN.replace(".a.", "."),
        "sb1.a." + "A" * 100_000,
        "sb1.a.",
        "sb1.a.AAAA",
        PSID,
        "",
    ],
    # The token is another in each run, and the names of tests must not be.
    ids=range(13),
)
def test_a_text_of_almost_the_right_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        CODEC.read(text)


def test_an_error_never_repeats_the_token() -> None:
    for text in (TOKEN[:-1], TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B"), TOKEN.replace(".a.", ".c.")):
        with pytest.raises(InvalidTokenError) as refused:
            CODEC.read(text)
        assert TOKEN[6:30] not in str(refused.value)
        assert PSID not in str(refused.value)


class TestKeys:
    def test_the_first_key_signs_and_all_of_them_are_known(self) -> None:
        old, rotating, new = PsidTokens([A]), PsidTokens([B, A]), PsidTokens([B])
        by_old, by_rotating = old.issue(PAGE, PSID, EXPIRES)[0], rotating.issue(PAGE, PSID, EXPIRES)[0]

        assert by_rotating.startswith("sb1.b.")
        assert rotating.read(by_old).psid == rotating.read(by_rotating).psid == new.read(by_rotating).psid == PSID
        with pytest.raises(InvalidTokenError, match=r"checkout_tokens\.keys"):
            new.read(by_old)

    def test_another_secret_under_the_same_id_knows_nothing(self) -> None:
        with pytest.raises(InvalidTokenError, match="signature"):
            PsidTokens([TokenKey("a", b"z" * 32)]).read(TOKEN)

    def test_without_a_key_nothing_is_signed_and_nothing_known(self) -> None:
        codec = PsidTokens([])

        assert not codec.can_sign
        with pytest.raises(ValueError, match="no key"):
            codec.issue(PAGE, PSID, EXPIRES)
        with pytest.raises(InvalidTokenError):
            codec.read(TOKEN)

    def test_a_secret_is_not_shown(self) -> None:
        assert "aaaa" not in repr(A)


@pytest.mark.parametrize(
    ("page_id", "psid"), [("", ""), ("x", PSID), (PAGE, "-1"), (PAGE, "1" * 33), (PAGE, "\uff11\uff12\uff13")]
)
def test_only_psids_and_pages_are_signed(page_id: str, psid: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        CODEC.issue(page_id, psid, EXPIRES)


def test_every_token_is_different() -> None:
    issued = [CODEC.issue(PAGE, PSID, EXPIRES) for _ in range(1000)]

    assert len({text for text, _ in issued}) == len({nonce for _, nonce in issued}) == 1000


def test_a_token_does_not_show_its_shopper_in_a_log() -> None:
    assert PSID not in repr(CODEC.read(TOKEN))
