"""The way from the internet to the host, with everything that may stand in it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sanic import Request
from sanic.response import HTTPResponse, redirect, text

from shopbot.doctor.probe import Probe, Prober
from shopbot.doctor.probe_answer import ProbeAnswer, judge
from shopbot.doctor.public_address import Patience, PublicAddress
from shopbot.doctor.public_url import addresses, read_public_url
from shopbot.doctor.transport import certificate_finding
from shopbot.hooks import Hooks, PluginInstance
from shopbot.model.finding import Finding, Level
from shopbot.plugin import InboundRequest, Origin, Verified, hookimpl
from shopbot.store.records import Records
from shopbot.testing.host import SECRET, SHOP, ShopUnderTest, shop_under_test
from shopbot.web.probe import Echo
from shopbot_plugins import shopify_hmac
from support.attacked_shop import echoing_config
from support.configured_store import ALWAYS, configured_store
from support.hook_plugins import entries
from support.proxy import proxy, rewritten_json

BOTH = echoing_config()
"""A shop that takes the webhooks of both platforms."""

CERTIFICATE = Path(__file__).parents[1] / "support" / "tls" / "self_signed.pem"
PATIENCE = Patience(answer_seconds=20.0, work_seconds=20.0)
"""So long that a busy machine makes nobody ill."""


async def findings(
    shop: ShopUnderTest,
    url: str | None = None,
    *,
    hooks: Hooks | None = None,
    store: Redis | None = None,
    patience: Patience = PATIENCE,
) -> list[Finding]:
    """Look at the way to a shop through *url*.

    hooks: of the configuration that the doctor has; the host's own where none are given.
    store: that the doctor sees; the host's own where none is given.
    """
    check = PublicAddress(
        addresses(url or shop.url),
        Prober(hooks or shop.host.hooks, SHOP),
        Records(store or shop.store, shop.keys),
        most_body_bytes=5_000_000,
        patience=patience,
    )
    return [finding async for finding in check.look()]


async def problems(shop: ShopUnderTest, url: str | None = None, **more: Any) -> list[Finding]:  # noqa: ANN401 - as above
    return [finding for finding in await findings(shop, url, **more) if finding.level is Level.PROBLEM]


async def test_a_proxy_that_passes_everything_on_is_fine(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop, proxy(shop.url) as url:
        found = await findings(shop, url)

    assert {finding.level for finding in found} == {Level.OK}
    assert [finding.what.partition(" at ")[0] for finding in found] == [
        "Shopify's webhooks reach the host unchanged",
        "a probe went the whole way: address, host, store and worker",
        "Messenger's webhooks reach the host unchanged",
    ]


def swap_case(body: bytes) -> bytes:
    return body.replace(b"shopbot_probe", b"SHOPBOT_PROBE")


async def test_a_proxy_that_changes_the_body_is_found(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        async with proxy(shop.url, rewrite=rewritten_json) as url:
            rewritten = await problems(shop, url)
        async with proxy(shop.url, rewrite=swap_case) as url:
            swapped = await problems(shop, url)

    assert len(rewritten) == len(swapped) == 2  # for both platforms
    for problem in (*rewritten, *swapped):
        assert "the body is changed on the way" in problem.what
        assert "refuses every webhook" in problem.meaning
        assert "pass bodies on untouched" in problem.to_do
    assert "bytes were sent" in rewritten[0].what
    assert "as long as before, with other bytes" in swapped[0].what


async def test_a_proxy_that_drops_headers_is_found(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        async with proxy(shop.url, drops=("x-shopify-hmac", "x-shopify-topic")) as url:
            (shopify,) = await problems(shop, url)
        async with proxy(shop.url, drops=("x-hub-",)) as url:
            (messenger,) = await problems(shop, url)

    assert shopify.what.startswith("headers are dropped on the way")
    assert shopify.what.endswith(": X-Shopify-Topic, X-Shopify-Hmac-Sha256")
    assert messenger.what.endswith(": X-Hub-Signature-256")


def too_large(request: Request) -> HTTPResponse | None:
    return text("too large", status=413) if len(request.body) > 1_048_576 else None


def to_www(request: Request) -> HTTPResponse:
    return redirect(f"https://www.bot.example{request.path}?token=secret", status=308)


ANSWERS: dict[str, tuple[Callable[[Request], HTTPResponse | None], str, str]] = {
    "a redirect": (to_www, "redirects (HTTP 308) to https://www.bot.example/webhooks/shopify", "final address"),
    "a welcome page": (lambda _: text("Welcome!"), "answers HTTP 200, and it is not shopbot", "point the proxy"),
    "a login": (lambda _: text("log in", status=401), "answers HTTP 401", "without a login"),
    "a firewall": (lambda _: text("blocked", status=403), "answers HTTP 403", "a firewall's rule"),
    "another route": (lambda _: text("not found", status=404), "answers HTTP 404", "with the path as it is"),
    "a limit on bodies": (too_large, "answers HTTP 413 to a body of 2 MB", "client_max_body_size"),
    "a host that is away": (lambda _: text("bad gateway", status=502), "answers HTTP 502", "see that the host runs"),
    "a rate limit": (lambda _: text("slow down", status=429), "answers HTTP 429", "rate limit"),
}


async def test_what_something_in_front_answers_by_itself_is_told_apart(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        for case, (answer, what, to_do) in ANSWERS.items():
            async with proxy(shop.url, answer=answer) as url:
                found = await problems(shop, url)

            assert found, case
            assert what in found[0].what, case
            assert to_do in found[0].to_do, case
            assert "secret" not in found[0].what


async def test_a_large_body_that_is_cut_off_is_told_from_an_address_that_does_not_answer(tmp_path: Path) -> None:
    def cut(request: Request) -> HTTPResponse | None:
        if len(request.body) > 1_048_576:
            protocol: Any = request.protocol
            protocol.abort()
        return None

    async with shop_under_test(tmp_path, config=BOTH) as shop, proxy(shop.url, answer=cut) as url:
        found = await findings(shop, url)

    problem, other = [finding for finding in found if finding.level is Level.PROBLEM]  # of both routes
    assert problem.what.startswith("a body of 2 MB does not get through: ")
    assert "client_max_body_size" in problem.to_do
    assert other.what.startswith("a body of 2 MB does not get through: ")
    assert "a probe went the whole way: address, host, store and worker" in [finding.what for finding in found]


async def test_an_address_that_does_not_answer_is_found(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        async with proxy(shop.url, stalls=True) as url:
            (silent,) = await problems(shop, url, patience=Patience(answer_seconds=0.2))
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            (closed,) = await problems(shop, f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert silent.what.endswith("/webhooks/shopify does not answer within 0.2 s")
    assert "refuses the connection" in closed.what


async def test_a_certificate_is_found_that_nobody_trusts_and_told_with_its_end_where_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop, proxy(shop.url, tls=CERTIFICATE) as url:
        (untrusted,) = await problems(shop, url)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        trusted = await findings(shop, url)

    assert "has a certificate that is not trusted" in untrusted.what
    assert "with its whole chain" in untrusted.to_do
    assert {finding.level for finding in trusted} == {Level.OK}
    assert [one.what for one in trusted if "certificate" in one.what] == ["the certificate is good until 2120-01-01"]


@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (14, Level.OK), (13, Level.WARNING), (0, Level.WARNING)])
def test_a_certificate_that_soon_ends_is_warned_of(days: int, level: Level) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)

    assert certificate_finding(now + timedelta(days=days, hours=1), now).level is level


async def test_a_host_with_another_secret_is_found(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        (problem,) = await problems(shop, hooks=signing("a-newer-secret"))
        (rotation,) = await problems(shop, hooks=signing(SECRET, "a-newer-secret"))

    assert "refuses what the secret of verify[0]:shopify_hmac has signed (HTTP 403)" in problem.what
    assert "another secret" in problem.meaning
    assert "restart the host" in problem.to_do
    assert "refuses what secret 2 of 2 of verify[0]:shopify_hmac has signed" in rotation.what


def signing(*secrets: str) -> Hooks:
    """Give a configuration's verifier with other secrets."""
    plugin = shopify_hmac.Plugin(shopify_hmac.Config.model_validate({"secrets": secrets}))
    return Hooks([PluginInstance("verify", 0, "shopify_hmac", plugin)])


async def test_a_host_on_another_store_is_found(tmp_path: Path) -> None:
    async with (
        shop_under_test(tmp_path, config=BOTH) as shop,
        configured_store("valkey", *ALWAYS) as another,
    ):
        found = await problems(shop, store=another.client)

    assert [problem.what for problem in found] == [
        "the host behind the public address has taken a probe in, and it is not in this store"
    ]


async def test_a_host_without_a_worker_is_found(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        shop.host._worker.stop()
        assert shop.host._working is not None
        await shop.host._working
        (problem,) = await problems(shop, patience=Patience(work_seconds=0.2))

    assert "no worker takes it" in problem.what
    assert "`--role all` or `worker`" in problem.to_do


class Unsigned:
    """A verifier that cannot sign."""

    @hookimpl
    def verify_request(self, request: InboundRequest) -> Verified:
        return Verified(request.route)


class Failing(Unsigned):
    @hookimpl
    def sign_request(self, request: InboundRequest) -> list[dict[str, str]]:
        raise LookupError(f"no key for {request.route}")


async def test_verifiers_that_cannot_sign_leave_the_address_untried_and_that_is_said(tmp_path: Path) -> None:
    async with shop_under_test(tmp_path, config=BOTH) as shop:
        unsigned = await findings(shop, hooks=entries("verify", Unsigned()))
        failing = await findings(shop, hooks=entries("verify", Failing()))

    assert [(one.level, one.what) for one in unsigned] == [
        (Level.WARNING, "no plugin under `verify:` can sign a probe")
    ]
    assert failing[0].what == ("verify[0]:failing cannot sign a probe: LookupError in sign_request: no key for shopify")


PROBE = Probe(Origin.SHOPIFY, {}, b"{}", 0, 1, "verify[0]:shopify_hmac")


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.5, None), (1.99, None), (2.0, Level.WARNING), (4.9, Level.WARNING), (5.0, Level.PROBLEM)]
)
def test_an_answer_is_slow_where_the_platforms_would_not_have_waited(seconds: float, level: Level | None) -> None:
    whole = Echo(
        body_bytes=2, body_sha256="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", headers=()
    )
    answer = ProbeAnswer("https://bot.example/webhooks/shopify", 200, seconds, whole)

    assert [finding.level for finding in judge(PROBE, answer)] == ([] if level is None else [level])
    assert list(judge(PROBE, answer, large=True)) == []  # a large body takes its time


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://bot.example", "https://bot.example"),
        ("https://bot.example/", "https://bot.example"),
        ("https://bot.example/webhooks/shopify", "https://bot.example"),
        ("https://bot.example/webhooks/messenger/", "https://bot.example"),
        ("https://example.com/bots/acme", "https://example.com/bots/acme"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_a_public_address_is_read_as_people_give_it(given: str, read: str) -> None:
    assert read_public_url(given) == read
    assert addresses(read)[Origin.SHOPIFY] == f"{read}/webhooks/shopify"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("bot.example", "such as https://bot.example"),
        ("", "such as https://bot.example"),
        ("ftp://bot.example", "such as https://bot.example"),
        ("https://bot example", "such as https://bot.example"),
        ("https://bot.example:99999", "ort"),
        ("http://bot.example", "must begin with https://"),
        ("https://me:pass@bot.example", "without user, password"),
        ("https://bot.example/?shop=1", "without user, password"),
    ],
)
def test_what_is_no_public_address_is_refused_with_the_reason(given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_public_url(given)
