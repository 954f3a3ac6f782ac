"""A trial touches nothing but its own store and directory, and leaves nothing from one test to the next."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from pathlib import Path

import pytest

from shopbot.config.settings import LogSettings
from shopbot.host.logs import configure_logging
from shopbot.trials.report import TrialResult
from shopbot.trials.runner import run_tests
from support.trials import CONFIG, failures, tried

PAID = "event: {sample: paid_order}"
ONE = f"tests: [{{name: a, given: {{window: open}}, {PAID}, expect: {{message: {{}}}}}}]\n"


def drop_in(directory: Path, name: str, methods: str) -> None:
    """Write a plugin into plugins.d."""
    plugins = directory / "plugins.d"
    plugins.mkdir(exist_ok=True)
    imports = "import httpx\nfrom shopbot.plugin import CartResult, Outcome, Resolution, Retry, Trust, hookimpl\n"
    (plugins / f"{name}.py").write_text(f'"""A plugin."""\n{imports}\n\nclass Plugin:\n{methods}', encoding="utf-8")


COUNTING = """\
    def __init__(self, config):
        self.count = 0

    @hookimpl
    async def run_step(self, event, run):
        self.count += 1
        return Outcome.done(str(self.count))
"""


def test_no_test_finds_what_another_has_left(tmp_path: Path) -> None:
    """Neither in the store nor in a plugin."""
    drop_in(tmp_path, "counting", COUNTING)
    config = CONFIG.replace("  - {use: audit_log}", "  - {use: counting}").replace("[http_forward]", "[counting]")
    tests = f"""\
given: {{window: open}}
tests:
  - {{name: first, {PAID}, expect: {{message: {{}}}}}}
  - {{name: second, {PAID}, expect: {{message: {{}}}}}}
"""
    report = tried(tmp_path, tests, config=config)

    assert failures(report) == {}
    for result in report.results:
        assert [entry.detail for entry in result.journal if entry.step == "1:counting"] == ["1"]


def test_no_variable_need_be_set_and_no_store_reached(tmp_path: Path) -> None:
    config = CONFIG.replace("acme.myshopify.com", '"${SHOP_DOMAIN}"') + "store: ${REDIS_URL}\ndata_dir: state\n"
    config = config.replace('"102290129340398"', '"${PAGE_ID}"').replace(
        "https://warehouse.example", "${WAREHOUSE_URL}"
    )

    report = tried(tmp_path, ONE, config=config)

    assert failures(report) == {}
    assert {path.name for path in tmp_path.iterdir()} == {"shopbot.yaml", "shopbot.test.yaml"}


def test_variables_that_are_set_and_defaults_are_used(tmp_path: Path) -> None:
    config = CONFIG.replace("{{ order.name }} for {{ order.total | money }}", "${GREETING} ${WORD:-default}")
    tests = ONE.replace("message: {}", "message: {text: Order Hello default}")

    assert failures(tried(tmp_path, tests, config=config, environ={"GREETING": "Hello"})) == {}


def test_a_variable_for_which_nothing_fits_must_be_set(tmp_path: Path) -> None:
    config = CONFIG.replace("locale: en,", 'locale: "${LANGUAGE_OF_SHOP}",')
    report = tried(tmp_path, ONE, config=config)

    [problem] = report.errors
    assert problem.message == (
        "shop.locale: expected a locale such as en, de or pt_BR, got the value of ${LANGUAGE_OF_SHOP}"
        " (LANGUAGE_OF_SHOP is not set, and what stands in its place does not fit: set it to anything that does)"
    )


CALLING = """\
    def __init__(self, config): ...

    @hookimpl
    async def clear_cart(self, psid, order):
        try:
            async with httpx.AsyncClient(timeout=30.0) as client:
                await client.delete(f"{URL}/carts")
        except httpx.TransportError as error:
            raise Retry(f"not reached: {type(error).__name__}") from error
        return CartResult.CLEARED
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "shop.example"])
def test_a_plugin_that_would_ask_another_machine_reaches_nobody(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        drop_in(tmp_path, "calling", CALLING.replace("{URL}", f"http://{host}:{port}"))
        config = CONFIG.replace("{use: redis_cart}", "{use: calling}")
        tests = f"""\
given: {{window: open}}
tests:
  - {{name: itself, {PAID}, expect: {{cart: cleared}}}}
  - {{name: answered for, given: {{plugins: {{calling: cleared}}}}, {PAID}, expect: {{cart: cleared}}}}
"""
        report = tried(tmp_path, tests, config=config)

        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    [failed] = report.failed
    assert failed.name == "itself"
    [note] = failed.notes
    assert note == (
        f"a plugin wanted to reach {host}:{port}, and nobody is reached while a configuration is tried: answer for it"
        " under `plugins:`"
    )
    assert "not reached: ConnectError" in [entry.detail for entry in failed.journal]


def test_a_plugin_that_cannot_start_fails_the_test_and_not_the_run(tmp_path: Path) -> None:
    drop_in(
        tmp_path,
        "eager",
        """\
    def __init__(self, config): ...

    @hookimpl
    async def start(self, context):
        raise RuntimeError("no licence")

    @hookimpl
    async def resolve_psid(self, order):
        return None
""",
    )
    config = CONFIG.replace("{use: token_lookup}", "{use: eager}")
    tests = f"""\
given: {{window: open}}
tests:
  - {{name: itself, {PAID}, expect: {{message: {{}}}}}}
  - {{name: answered for, given: {{plugins: {{eager: nobody}}}}, {PAID}, expect: {{message: {{}}}}}}
"""
    assert failures(tried(tmp_path, tests, config=config)) == {
        "itself": ["plugin could not start: resolvers[1]:eager: RuntimeError in start: no licence"]
    }


def test_what_never_comes_to_an_end_fails(tmp_path: Path) -> None:
    drop_in(
        tmp_path,
        "waiting",
        """\
    def __init__(self, config): ...

    @hookimpl
    async def run_step(self, event, run):
        return Outcome.deferred("PLUGIN_FAILED", retry_after_seconds=1)
""",
    )
    config = CONFIG.replace("{use: audit_log}", "{use: waiting}").replace("[http_forward]", "[waiting]")
    config = config.replace("attempts: 3, first: 2s, factor: 2, max: 1m", "attempts: 20, first: 1s, factor: 1, max: 1s")
    tests = f"""\
given: {{window: open}}
tests:
  - {{name: its attempts, {PAID}, wait: 1h, expect: {{dead_letter: PLUGIN_FAILED}}}}
  - {{name: down for a month, given: {{platform: down}}, {PAID}, wait: 30d, expect: {{silence: CHANNEL_DOWN}}}}
"""
    assert failures(tried(tmp_path, tests, config=config)) == {
        "down for a month": ["after 120 attempts there is still something to try again: wait less"]
    }


def test_the_log_of_the_process_has_nothing_of_a_trial_unless_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        configure_logging(LogSettings(format="json", level="info"))
        report = tried(tmp_path, ONE)
        logging.getLogger("shopbot.host").warning("after")
        quiet = capsys.readouterr().err
        tried(tmp_path, ONE, log=True)
        loud = capsys.readouterr().err
    finally:
        root.handlers, root.level = before, level

    assert report.ok
    assert [line for line in quiet.splitlines() if "after" not in line] == []
    assert "after" in quiet
    assert "event_finished" in loud


async def test_a_host_can_call_it_beside_its_own_loop(tmp_path: Path) -> None:
    (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "shopbot.test.yaml").write_text(ONE, encoding="utf-8")
    threads = threading.active_count()

    reports = await asyncio.gather(*(asyncio.to_thread(run_tests, tmp_path / "shopbot.yaml", {}) for _ in range(2)))

    assert [report.ok for report in reports] == [True, True]
    assert threading.active_count() <= threads + 2  # the executor's own


def test_each_result_is_told_as_it_comes_and_tests_can_be_chosen(tmp_path: Path) -> None:
    tests = f"""\
given: {{window: open}}
tests:
  - {{name: one, {PAID}, expect: {{message: {{}}}}}}
  - {{name: two, {PAID}, expect: {{silence: NOT_PAID}}}}
  - {{name: three, {PAID}, expect: {{message: {{}}}}}}
"""
    told: list[tuple[str, bool]] = []

    def watch(result: TrialResult) -> None:
        told.append((result.name, result.passed))

    report = tried(tmp_path, tests, wanted=lambda name: name != "one", watch=watch)

    assert told == [("two", False), ("three", True)]
    assert (report.skipped, len(report.results), report.ok) == (1, 2, False)
