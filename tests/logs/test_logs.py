"""The form of the logs: JSON for machines, lines for people, and never what functions had in hand."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from shopbot.host.log_masks import mask_texts, masked

PROGRAM = """
import logging, sys, threading, warnings
import structlog
from shopbot.config.settings import LogSettings
from shopbot.host.logs import configure_logging

configure_logging(LogSettings(format=sys.argv[1], level=sys.argv[2]))
log = structlog.get_logger("shopbot.test")
log.debug("too_small")
log.info("something_happened", order_id=6021482911946154001, name="Zoë")
logging.getLogger("some.library").warning("it said %s", "so")
logging.getLogger("httpx").info("HTTP Request: POST https://example.com/?access_token=abc")


def fails():
    local_secret = "do-not-" + "show-me"
    raise RuntimeError("it broke")


try:
    fails()
except RuntimeError:
    log.exception("it_failed")
    logging.getLogger("some.library").exception("it failed too")
warnings.warn("old ways")
thread = threading.Thread(target=fails)
thread.start()
thread.join()
fails()
"""


def run(log_format: str, level: str = "info", *, terminal: bool = False) -> str:
    """Log in a process of its own, and give what came out on stderr."""
    read_end, write_end = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-W", "always", "-c", PROGRAM, log_format, level]
    process = subprocess.Popen(command, stderr=write_end)  # noqa: S603 - the test's own program
    os.close(write_end)
    output = b""
    with suppress(OSError):  # how a terminal says that its other end is closed
        while chunk := os.read(read_end, 65_536):
            output += chunk
    os.close(read_end)
    assert process.wait(timeout=100) == 1
    return output.decode()


def lines(output: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_has_one_object_per_line_with_the_same_four_fields_whoever_wrote_it() -> None:
    found = lines(run("json"))

    assert [(line["event"], line["level"], line["logger"]) for line in found] == [
        ("something_happened", "info", "shopbot.test"),
        ("it said so", "warning", "some.library"),
        ("it_failed", "error", "shopbot.test"),
        ("it failed too", "error", "some.library"),
        (found[4]["event"], "warning", "py.warnings"),
        ("uncaught_exception", "critical", "shopbot.host"),
        ("uncaught_exception", "critical", "shopbot.host"),
    ]
    assert "UserWarning: old ways" in found[4]["event"]
    assert all(line["timestamp"].endswith("Z") for line in found)
    assert found[0] == {
        "event": "something_happened",
        "order_id": 6_021_482_911_946_154_001,
        "name": "Zoë",
        "level": "info",
        "logger": "shopbot.test",
        "timestamp": found[0]["timestamp"],
    }


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_shows_where_it_came_from_and_no_local_variables(log_format: str) -> None:
    output = run(log_format)

    assert output.count("RuntimeError: it broke") == 4
    assert "show-me" not in output.replace('"do-not-" + "show-me"', "").replace(r"\"do-not-\" + \"show-me\"", "")
    assert "do-not-show-me" not in output


def test_the_level_decides_and_libraries_that_log_urls_stay_quiet() -> None:
    for level in ("debug", "info"):
        output = run("json", level)
        assert ("too_small" in output) is (level == "debug")
        assert "access_token" not in output
    assert "something_happened" not in run("json", "warning")


def test_auto_means_json_unless_a_person_is_watching() -> None:
    assert lines(run("auto"))[0]["event"] == "something_happened"

    watched = run("auto", terminal=True)
    assert "something_happened" in watched
    assert "\x1b[" in watched
    assert not watched.startswith("{")


def test_json_stays_json_on_a_terminal_and_console_has_no_colours_in_a_file() -> None:
    assert lines(run("json", terminal=True))[0]["event"] == "something_happened"

    output = run("console")
    assert "something_happened" in output
    assert "order_id=6021482911946154001" in output
    assert "\x1b[" not in output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no shopper 7312345678901234 here", "no shopper …1234 here"),
        ("key 'cart:7312345678901234'", "key 'cart:…1234'"),
        ("Error 111 connecting to 127.0.0.1:6379", "Error 111 connecting to 127.0.0.1:6379"),
        ("no answer within 60 s", "no answer within 60 s"),
        ("Illegal header value b'Bearer EAAGm0PX4ZCpsBAKlong7access'", "Illegal header value b'Bearer …'"),
        (
            "age\n  Input should be a valid integer [type=int, input_value='Ada, 7', input_type=str]",
            "age\n  Input should be a valid integer [type=int, input_value=…, input_type=str]",
        ),
        ('File "/srv/shopbot/core/shopbot/messages/template_environment.py", line 12', None),
        ("webhook_subscriptions_and_their_names", None),
    ],
)
def test_texts_that_others_wrote_are_shown_without_what_could_be_a_psid_or_a_token(
    text: str, shown: str | None
) -> None:
    assert masked(text) == (text if shown is None else shown)


def test_ids_in_fields_of_their_own_are_left_whole_but_no_psid_is() -> None:
    fields = mask_texts(
        None,
        "info",
        {
            "event": "sent",
            "order_id": 6021482911946154001,
            "event_id": "webhook:1234567890123",
            "psid": 7312345678901234,
        },
    )

    assert fields["order_id"] == 6021482911946154001
    assert fields["event_id"] == "webhook:1234567890123"
    assert fields["psid"] == "…1234"
