"""`shopbot test`, by its whole output: for people, for scripts, for CI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from shopbot.testing.samples import SAMPLES
from support.command_line import Ended, shopbot
from support.trials import CONFIG

TESTS = """\
given: {window: open}
tests:
  - name: A paid order is confirmed
    event: {sample: paid_order}
    expect: {message: {contains: "#1234"}}
  - name: The whole text
    event: {sample: paid_order}
    expect:
      message:
        text: |
          Dear shopper,
          order #1234 costs €55.40
  - name: One that is not paid is left alone
    event: {sample: pending_order}
    expect: {silence: CANCELLED}
"""


def run(directory: Path, *arguments: str, tests: str | None = TESTS) -> Ended:
    """Run the tests in a directory, with seconds that are always the same."""
    (directory / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
    if tests is not None:
        (directory / "shopbot.test.yaml").write_text(tests, encoding="utf-8")
    ended = shopbot("test", *arguments, directory=directory)
    return Ended(ended.exit_code, re.sub(r"in \d+\.\d s", "in 0.1 s", ended.output), ended.errors)


def test_people_read_what_failed_and_why(tmp_path: Path) -> None:
    ended = run(tmp_path)

    expected = """\
shopbot.test.yaml
  ✓ A paid order is confirmed
  ✗ The whole text
  ✗ One that is not paid is left alone

shopbot.test.yaml:10:9: The whole text: the text of the message is another
    --- expected
    +++ sent
    @@ -1,2 +1 @@
    -Dear shopper,
    -order #1234 costs €55.40
    +Order #1234 for €55.40
  what happened:
    confirm 1:resolve_psid          done    resolvers[0]:note_attributes: …1234
    confirm 2:clear_cart            done    carts[0]:redis_cart: already_empty
    confirm 2:clear_cart            done    carts[1]:http_cart: cleared
    confirm 3:save_order_reference  done
    confirm 4:send_message          done    senders[0]:messenger: m_1, UPDATE: inside the window
    confirm                         done
    tell 1:http_forward             done    plugins[0]:http_forward
    tell                            done

shopbot.test.yaml:15:14: One that is not paid is left alone: silence as expected, but not for CANCELLED: confirm: NOT_PAID (the financial status is pending)
  what happened:
    confirm  skipped  NOT_PAID  the financial status is pending
the tests answer for: carts[1]:http_cart, senders[0]:messenger, plugins[0]:http_forward
shopbot.test.yaml: 1 passed, 2 failed in 0.1 s
"""  # noqa: E501 - as it is printed

    assert (ended.exit_code, ended.output, ended.errors) == (1, expected, "")


def test_all_is_well_when_all_pass(tmp_path: Path) -> None:
    ended = run(tmp_path, "-k", "PAID ORDER IS")

    assert (ended.exit_code, ended.errors) == (0, "")
    assert ended.output.splitlines() == [
        "shopbot.test.yaml",
        "  ✓ A paid order is confirmed",
        "the tests answer for: carts[1]:http_cart, senders[0]:messenger, plugins[0]:http_forward",
        "shopbot.test.yaml: 1 passed, 2 not asked for in 0.1 s",
    ]


def test_several_words_choose_more_tests(tmp_path: Path) -> None:
    ended = run(tmp_path, "-k", "whole", "-k", "left alone")

    assert "2 failed, 1 not asked for" in ended.output


def test_problems_of_the_files_are_named_and_nothing_is_run(tmp_path: Path) -> None:
    ended = run(tmp_path, tests=TESTS.replace("silence: CANCELLED", "silnce: CANCELLED"))

    assert ended.exit_code == 1
    assert ended.output.splitlines() == [
        "shopbot.test.yaml",
        "shopbot.test.yaml:15:14: unknown key 'silnce'; did you mean 'silence'?",
        "shopbot.test.yaml: 1 problem, and no test was run",
    ]


@pytest.mark.parametrize("name", ["shopbot.yaml", "shopbot.test.yaml"])
def test_either_file_can_be_named(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, name, "-k", "paid order is").exit_code == 0


def test_several_configurations_are_run_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "other.test.yaml").write_text(TESTS.replace("CANCELLED", "NOT_PAID"), encoding="utf-8")

    ended = run(tmp_path, "shopbot.yaml", "other.yaml", "other.test.yaml")

    assert ended.exit_code == 1
    assert [line for line in ended.output.splitlines() if "passed" in line] == [
        "shopbot.test.yaml: 1 passed, 2 failed in 0.1 s",
        "other.test.yaml: 2 passed, 1 failed in 0.1 s",
    ]


class TestWrongUsage:
    def test_a_configuration_without_tests_is_told_how_to_begin(self, tmp_path: Path) -> None:
        ended = run(tmp_path, tests=None)

        assert (ended.exit_code, ended.output) == (2, "")
        assert ended.errors.startswith("shopbot.yaml has no tests: there is no shopbot.test.yaml. Begin with:\n\n")
        example = ended.errors.partition("Begin with:\n\n")[2].replace("cart: true", "window: open")
        assert run(tmp_path, tests=example).exit_code == 0

    def test_a_name_that_no_test_has(self, tmp_path: Path) -> None:
        ended = run(tmp_path, "-k", "nothing")

        assert (ended.exit_code, ended.errors) == (2, "no test has 'nothing' in its name\n")

    def test_an_option_that_there_is_not(self, tmp_path: Path) -> None:
        assert run(tmp_path, "--jsno").exit_code == 2

    def test_a_report_that_cannot_be_written(self, tmp_path: Path) -> None:
        ended = run(tmp_path, "--junit", "nowhere/report.xml", "-k", "paid order is")

        assert (ended.exit_code, ended.errors) == (
            2,
            "nowhere/report.xml: cannot be written: No such file or directory\n",
        )

    def test_a_configuration_that_is_not_there_is_a_problem_like_any_other(self, tmp_path: Path) -> None:
        ended = shopbot("test", "nope.yaml", directory=tmp_path)

        assert (ended.exit_code, ended.output.splitlines()[1]) == (1, "nope.yaml: there is no such file")


def test_scripts_get_everything_as_json(tmp_path: Path) -> None:
    ended = run(tmp_path, "--json")
    [report] = json.loads(ended.output)

    assert (ended.exit_code, ended.errors) == (1, "")
    assert (report["config"], report["tests"], report["ok"]) == ("shopbot.yaml", "shopbot.test.yaml", False)
    assert (report["problems"], report["skipped"], report["absent"]) == ([], 0, [])
    passed, text, unpaid = report["results"]
    assert (passed["name"], passed["passed"], passed["failures"]) == ("A paid order is confirmed", True, [])
    assert (text["file"], text["line"], text["column"]) == ("shopbot.test.yaml", 6, 5)
    assert text["failures"] == [
        {
            "line": 10,
            "column": 9,
            "message": "the text of the message is another",
            "diff": [
                *("--- expected", "+++ sent", "@@ -1,2 +1 @@"),
                *("-Dear shopper,", "-order #1234 costs €55.40", "+Order #1234 for €55.40"),
            ],
        }
    ]
    assert unpaid["journal"][0]["reason"] == "NOT_PAID"


def test_ci_systems_get_junit_xml(tmp_path: Path) -> None:
    ended = run(tmp_path, "--junit", "report.xml")
    root = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own

    assert ended.exit_code == 1
    [suite] = root.findall("testsuite")
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        *("shopbot.test.yaml", "3", "2"),
        "0",
    )
    passed, text, unpaid = suite.findall("testcase")
    assert (passed.get("name"), list(passed)) == ("A paid order is confirmed", [])
    assert (text.get("classname"), text.get("file"), text.get("line")) == (
        "shopbot.test.yaml",
        "shopbot.test.yaml",
        "6",
    )
    [failure] = text.findall("failure")
    assert failure.get("message") == "the text of the message is another"
    assert (failure.text or "").startswith("shopbot.test.yaml:10:9: the text of the message is another\n--- expected\n")
    assert unpaid.find("failure") is not None


def test_a_problem_is_an_error_in_junit_xml(tmp_path: Path) -> None:
    run(tmp_path, "--junit", "report.xml", tests="tests: 1\n\x00")
    root = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own

    [case] = root.iter("testcase")
    [error] = case.findall("error")
    assert (error.text or "").startswith("shopbot.test.yaml:2:1: the character U+0000 is not allowed")


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    tests = """\
given: {window: open}
tests:
  - {name: "A bell \\a", event: {sample: paid_order}, expect: {message: {text: "\\a <&>"}}}
"""
    run(tmp_path, "--junit", "report.xml", tests=tests)
    root = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own

    [case] = root.iter("testcase")
    assert case.get("name") == "A bell \ufffd"
    assert "-\\u0007 <&>\n" in (case.findtext("failure") or "")


def test_the_samples_are_listed(tmp_path: Path) -> None:
    listed = shopbot("test", "--samples", directory=tmp_path, columns=160)
    for_scripts = json.loads(shopbot("test", "--samples", "--json", directory=tmp_path).output)

    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()[1:]] == list(SAMPLES)
    assert for_scripts[0] == {
        "name": "paid_order",
        "topic": "orders/paid",
        "summary": "An order that was paid at once.",
    }


def test_the_host_s_own_log_is_shown_when_it_is_asked_for(tmp_path: Path) -> None:
    assert "event_finished" in run(tmp_path, "--log", "info", "-k", "paid order is").errors
