from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from shopbot.config.duration import LONGEST, Duration, PositiveDuration, format_duration, parse_duration

ANY: TypeAdapter[timedelta] = TypeAdapter(Duration)
POSITIVE: TypeAdapter[timedelta] = TypeAdapter(PositiveDuration)


def refusal(adapter: TypeAdapter[timedelta], value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86_400),
        ("365d", 31_536_000),
        ("10m", 600),
        ("90s", 90),
        ("250ms", 0.25),
        ("1h30m", 5_400),
        ("2w", 1_209_600),
        ("1w1d1h1m1s1ms", 694_861.001),
        ("0s", 0),
        ("1m500ms", 60.5),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert ANY.validate_python(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "24", "1.5h", "24 h", "24H", "30m1h", "1h1h", "-5s", "5 min", "1day", "٣s", "1h\n", "1e3s"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
    assert refusal(ANY, text).startswith("expected a duration such as 30s, 10m, 24h or 365d")


@pytest.mark.parametrize("value", [30, 0.5, "30"])
def test_a_number_without_a_unit_is_asked_for_one(value: object) -> None:
    assert refusal(ANY, value) == "expected a duration such as 30s, 10m, 24h or 365d: say which unit"


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_other_types_are_refused(value: object) -> None:
    assert refusal(ANY, value) == "expected a duration such as 30s, 10m, 24h or 365d"


@pytest.mark.parametrize("text", ["36501d", "999999999w", "999999999d999999999h"])
def test_more_than_a_century_is_a_slip(text: str) -> None:
    assert refusal(ANY, text) == "expected a duration of at most a century (36500d)"


@pytest.mark.parametrize("value", ["0s", "0ms", "-5s", timedelta(0), timedelta(seconds=-1)])
def test_where_it_must_be_positive_zero_and_less_are_refused(value: object) -> None:
    assert refusal(POSITIVE, value) == "expected a duration longer than zero"


def test_a_timedelta_from_python_code_is_taken_as_it_is() -> None:
    assert POSITIVE.validate_python(timedelta(seconds=3)) == timedelta(seconds=3)


@given(st.integers(min_value=0, max_value=LONGEST // timedelta(milliseconds=1)))
def test_what_is_formatted_reads_back_the_same(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(days=365), "365d"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(milliseconds=1500), "1s500ms"),
        (timedelta(minutes=-5), "-5m"),
        (timedelta(microseconds=1), "0s"),
    ],
)
def test_formatting_is_short_and_exact_to_the_millisecond(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(st.text())
def test_no_text_makes_reading_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert timedelta(0) <= parse_duration(text) <= LONGEST


class Waits(BaseModel):
    first: PositiveDuration


def test_a_dumped_duration_reads_back() -> None:
    waits = Waits(first=timedelta(hours=36))

    assert waits.model_dump_json() == '{"first":"1d12h"}'
    assert Waits.model_validate_json(waits.model_dump_json()) == waits


def test_editors_learn_the_form_from_the_schema() -> None:
    schema = Waits.model_json_schema()["properties"]["first"]

    assert schema["type"] == "string"
    assert schema["examples"] == ["250ms", "30s", "10m", "24h", "365d"]
    assert "pattern" in schema
