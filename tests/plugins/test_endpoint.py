"""What the plugins that call a URL share."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopbot_plugins._endpoint import LONGEST_WAIT_SECONDS, base_url, check_address, retry_after_seconds
from shopbot_plugins._messenger_usage import Usage

SECONDS = st.integers(-(10**400), 10**400).map(str)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Sun", "x"]),
    st.integers(-1, 40),
    st.sampled_from(["Nov", "Foo", ""]),
    st.integers(-1, 100_000),
    st.integers(-1, 30),
    st.integers(-1, 70),
    st.integers(-1, 70),
    st.one_of(st.just("GMT"), st.just(""), st.integers(-(10**12), 10**12).map(str)),
)


@given(st.one_of(st.text(), SECONDS, DATES))
def test_whatever_retry_after_says_the_wait_is_bounded(value: str) -> None:
    seconds = retry_after_seconds({"Retry-After": value})

    assert seconds is None or 0 < seconds <= LONGEST_WAIT_SECONDS


def test_no_header_is_no_wait() -> None:
    assert retry_after_seconds({}) is None


@given(st.text())
def test_an_address_is_checked_or_refused_and_nothing_else(address: str) -> None:
    try:
        checked = check_address(address)
    except ValueError:
        return

    assert checked == address
    assert address.startswith("http")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("shop.example/api", "expected an absolute URL"),
        ("https://shop.example/a path", "expected an absolute URL"),
        ("https://user:pass@shop.example/api", "must not contain a user name or password"),
        ("https://shop.example/api#part", "must not contain '#'"),
        ("https://shop.example/api?key=1", "must not contain '?'"),
        ("http://shop.example/api", "must begin with https://"),
    ],
)
def test_an_address_that_is_refused_is_told_why(address: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        base_url(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_nobody_is_on_the_way_to_this_machine_itself(host: str) -> None:
    assert base_url(f"http://{host}:8000/api/") == f"http://{host}:8000/api"


@given(st.text(), st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.just({})))
def test_usage_headers_that_make_no_sense_count_as_missing(text: str, value: object) -> None:
    for header in (
        text,
        str(value),
        f'{{"1": [{{"call_count": {value}, "estimated_time_to_regain_access": {value}}}]}}',
    ):
        usage = Usage.read({"X-App-Usage": header, "X-Business-Use-Case-Usage": header})

        assert usage.percent is None or usage.percent >= 0
        assert usage.regain_access_seconds is None or usage.regain_access_seconds > 0
