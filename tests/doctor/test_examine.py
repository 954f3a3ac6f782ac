"""One examination: every check at once, none of which can spoil the others."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncGenerator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from shopbot.doctor.check import collect
from shopbot.doctor.examine import examine
from shopbot.doctor.report import Discretion, Entry, Report
from shopbot.host.blueprint import check_config
from shopbot.model.finding import Finding, Level
from support.attacked_shop import SHOPIFY_HMAC, config
from support.patient import lines

SECRET = "shpss_0123456789abcdef"

HEAD = """
import asyncio
from collections.abc import AsyncGenerator
from shopbot.plugin import Context, Examination, Field, Finding, PluginConfig, SecretStr, hookimpl


class Config(PluginConfig):
    key: SecretStr = Field(SecretStr(""), description="A key.")
"""


def a_plugin(body: str) -> str:
    """Write a plugin's module, whose class has this body."""
    init = "def __init__(self, config: Config) -> None:\n    self.key = config.key.get_secret_value()\n\n"
    return f"{HEAD}\n\nclass Plugin:\n{textwrap.indent(init + textwrap.dedent(body).strip(), '    ')}\n"


async def looked_at(
    directory: Path,
    plugins: Mapping[str, str],
    *,
    environ: Mapping[str, str] | None = None,
    time_limit: str | None = None,
    **sections: Any,  # noqa: ANN401 - YAML
) -> Report:
    """Have a shop looked at that talks to nobody, with plugins of its own under `plugins:`; it has no store."""
    (directory / "plugins.d").mkdir()
    for name, body in plugins.items():
        (directory / "plugins.d" / f"{name}.py").write_text(a_plugin(body), encoding="utf-8")
    limit = {"time_limit": time_limit} if time_limit else {}
    entries = [{"use": name, "key": "${A_KEY}", **limit} for name in plugins]
    text = config(**{"verify": [SHOPIFY_HMAC], "senders": [{"use": "console"}], "plugins": entries, **sections})
    path = directory / "shopbot.yaml"
    path.write_text(text, encoding="utf-8")
    variables = {"SHOPIFY_WEBHOOK_SECRET": SECRET, "A_KEY": "a-key-of-its-own", **(environ or {})}
    with capture_logs():
        return await examine(check_config(path, variables), today=date(2026, 11, 26))


FINE = """
    @hookimpl
    async def diagnose(self, examination: Examination) -> AsyncGenerator[Finding, None]:
        yield Finding.ok(f"looked on {examination.today}")
"""
RAISES = """
    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield Finding.ok("this much is fine")
        raise LookupError("the CRM has no shop 7312345678901234")
"""
HANGS = """
    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield Finding.ok("this much is fine")
        await asyncio.sleep(3600)
"""
DOES_NOT_START = """
    @hookimpl
    async def start(self, context: Context) -> None:
        raise ConnectionError("no CRM")

    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield Finding.ok("never said")
"""
TALKS_NONSENSE = """
    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield "all is well"
"""
SAYS_NO_WAY_OUT = """
    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield Finding.problem("broken", meaning="", to_do="")
"""
TELLS_A_SECRET = """
    @hookimpl
    async def diagnose(self) -> AsyncGenerator[Finding, None]:
        yield Finding.warning("odd", meaning=f"the key is {self.key}", to_do="look\\x1b[31m there")
"""


async def test_a_plugin_that_fails_is_a_problem_and_the_others_are_heard(tmp_path: Path) -> None:
    plugins = {"raises": RAISES, "starts_not": DOES_NOT_START, "nonsense": TALKS_NONSENSE, "fine": FINE}
    areas = (await looked_at(tmp_path, {**plugins, "no_way_out": SAYS_NO_WAY_OUT})).areas

    assert [one.what for one in areas["plugins[3]:fine"]] == ["looked on 2026-11-26"]
    fine, problem = areas["plugins[0]:raises"]
    assert (fine.level, problem.level) == (Level.OK, Level.PROBLEM)
    assert "broke off: LookupError in diagnose: the CRM has no shop …1234" in problem.what
    assert ["ConnectionError in start: no CRM" in one.what for one in areas["plugins[1]:starts_not"]] == [True]
    assert ["diagnose answered str, not Finding" in one.what for one in areas["plugins[2]:nonsense"]] == [True]
    assert ["ValidationError in diagnose" in one.what for one in areas["plugins[4]:no_way_out"]] == [True]


async def test_a_plugin_that_hangs_is_a_problem_and_what_it_had_found_stays(tmp_path: Path) -> None:
    report = await looked_at(tmp_path, {"hangs": HANGS}, time_limit="100ms")

    fine, problem = report.areas["plugins[0]:hangs"]
    assert fine.what == "this much is fine"
    assert "no answer to diagnose within 0.1 s" in problem.what


async def test_a_secret_that_a_plugin_tells_is_not_told_on(tmp_path: Path) -> None:
    report = await looked_at(tmp_path, {"talkative": TELLS_A_SECRET})

    (finding,) = report.areas["plugins[0]:talkative"]
    assert finding.what == "odd"
    assert finding.meaning == "(not shown: it repeats a secret)"
    assert finding.to_do == "look [31m there"  # without what a terminal would obey


async def test_an_unset_variable_is_a_problem_with_its_place_and_nothing_else_is_looked_at(tmp_path: Path) -> None:
    report = await looked_at(tmp_path, {"fine": FINE}, environ={"A_KEY": ""})

    assert list(report.areas) == ["configuration"]
    (problem,) = lines(report, Level.PROBLEM)
    assert f"{tmp_path}/shopbot.yaml:" in problem
    assert "the environment variable 'A_KEY' is set but empty" in problem
    assert lines(report, Level.OK) == ["configuration: set in the environment: SHOPIFY_WEBHOOK_SECRET"]


async def test_warnings_of_the_configuration_are_warnings(tmp_path: Path) -> None:
    poller = {"use": "shopify_orders", "access_token": "${A_KEY}", "api_url": "http://127.0.0.1:9"}
    rules = yaml.safe_load(config())["rules"]
    rules[0]["on"] = ["orders/create"]
    report = await looked_at(tmp_path, {}, pollers=[poller], rules=rules)

    assert any("lost webhooks are not made good" in line for line in lines(report, Level.WARNING))


async def test_without_a_public_address_that_is_said(tmp_path: Path) -> None:
    report = await looked_at(tmp_path, {})

    (warning,) = report.areas["public address"]
    assert (warning.level, warning.what) == (Level.WARNING, "the public address was not tried")
    assert "--url" in warning.to_do


async def test_a_check_that_fails_or_does_not_end_is_a_problem() -> None:
    async def fails() -> AsyncGenerator[Finding, None]:
        yield Finding.ok("so far")
        raise RuntimeError("of 7312345678901234")

    async def hangs() -> AsyncGenerator[Finding, None]:
        yield Finding.ok("so far", area="elsewhere")
        await asyncio.sleep(3600)

    failed = await collect("here", fails())
    hung = await collect("here", hangs(), limit_seconds=0.05)

    assert [(entry.area, entry.finding.level) for entry in failed] == [("here", Level.OK), ("here", Level.PROBLEM)]
    assert failed[1].finding.what == "this could not be examined: RuntimeError: of …1234"
    assert [(entry.area, entry.finding.level) for entry in hung] == [("elsewhere", Level.OK), ("here", Level.PROBLEM)]
    assert hung[1].finding.what == "this could not be examined: no end within 0.05 s"


@pytest.mark.parametrize("level", [Level.WARNING, Level.OK])
def test_only_a_problem_makes_a_shop_ill(level: Level) -> None:
    findings = {
        Level.OK: Finding.ok("fine"),
        Level.WARNING: Finding.warning("soon", meaning="x", to_do="y"),
        Level.PROBLEM: Finding.problem("now", meaning="x", to_do="y"),
    }

    assert Report([Entry("a", findings[level])]).healthy
    assert not Report([Entry("a", findings[level]), Entry("b", findings[Level.PROBLEM])]).healthy


def test_a_secret_that_could_be_a_word_hides_no_words() -> None:
    """A verify token is of the operator's choice."""
    discretion = Discretion(frozenset({"shopbot", "shpss_0123456789"}))
    entries = [Entry("a", Finding.ok("shopbot.yaml has no problems")), Entry("a", Finding.ok("it is shpss_0123456789"))]

    assert [entry.finding.what for entry in discretion.entries(entries)] == [
        "shopbot.yaml has no problems",
        "(not shown: it repeats a secret)",
    ]
