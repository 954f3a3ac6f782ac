"""Test reports as CI systems read them: JUnit's XML.

https://github.com/testmoapp/junitxml describes what the systems have in common.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from shopbot.trials.report import Failure, TrialReport, TrialResult

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, however they are written. https://www.w3.org/TR/xml/#charsets"""


def junit(reports: Sequence[TrialReport]) -> bytes:
    """Write reports as one XML document, a test suite for each configuration.

    A problem of a file, which keeps its tests from being run, is a test case with an error.
    """
    root = Element("testsuites", name="shopbot test")
    for report in reports:
        suite = SubElement(
            root,
            "testsuite",
            name=_text(str(report.tests)),
            tests=str(len(report.results) + len(report.errors)),
            failures=str(len(report.failed)),
            errors=str(len(report.errors)),
            skipped="0",
            time=f"{report.seconds:.3f}",
        )
        for problem in report.errors:
            case = SubElement(suite, "testcase", classname=_text(problem.file), name="the file", time="0")
            SubElement(case, "error", message=_text(problem.message)).text = _text(str(problem))
        for result in report.results:
            _case(suite, result)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: Element, result: TrialResult) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=_text(result.file),
        name=_text(result.name),
        file=_text(result.file),
        line=str(result.line),
        time=f"{result.seconds:.3f}",
    )
    if result.failures:
        # A test case has one failure, whatever is wrong with it.
        first = result.failures[0].message
        text = "\n".join(_lines(result.file, failure) for failure in result.failures)
        SubElement(case, "failure", message=_text(first)).text = _text(text)


def _lines(file: str, failure: Failure) -> str:
    return "\n".join([f"{file}:{failure.line}:{failure.column}: {failure.message}", *failure.diff])


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
