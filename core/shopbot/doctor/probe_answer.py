"""What became of a probe, and what that says about the way to the host.

What platforms make of answers: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries (5 s for the whole
request; 3xx, 401 and 403 are failures) and
https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks (200 within 5 s).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from shopbot.doctor.probe import Probe
from shopbot.model.finding import Finding
from shopbot.model.request import Origin
from shopbot.web.probe import Echo

AREA = "public address"

PLATFORM_SECONDS = 5.0
"""So long both platforms wait for an answer."""
_SLOW_SECONDS = 2.0
_REDIRECTS = range(300, 400)
_PLATFORM = {Origin.SHOPIFY: "Shopify", Origin.MESSENGER: "Meta"}
_LOST = (
    "every webhook counts as failed: Shopify gives one up after 8 tries in 4 hours and deletes the subscription, Meta"
    " stops after an hour"
)


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What came back."""

    url: str
    status: int
    seconds: float
    """From the first byte of the connection to the last of the answer."""
    echo: Echo | None
    """None where something else than shopbot has answered."""
    location: str = ""
    """Where a redirect leads."""
    certificate_ends: datetime | None = None
    """None without TLS."""

    @property
    def whole(self) -> bool:
        """Say whether shopbot has taken the probe."""
        return self.echo is not None and self.status == 200  # noqa: PLR2004 - what the platforms call a success


def judge(probe: Probe, answer: ProbeAnswer, *, large: bool = False) -> Iterator[Finding]:
    """Say what is wrong on the way; nothing where the probe arrived whole and was taken.

    large: whether it was about the size alone, so that its time says nothing.
    """
    found = _wrong(probe, answer, large=large)
    if found is not None:
        yield found
    elif not large:
        yield from _slow(answer)


def _wrong(probe: Probe, answer: ProbeAnswer, *, large: bool) -> Finding | None:
    echo = answer.echo
    if answer.status in _REDIRECTS:
        return _redirected(answer)
    if echo is None:
        return _not_from_shopbot(answer, large=large)
    if probe.changed(echo):
        return _body_changed(probe, answer, echo)
    missing = probe.missing(echo)
    if missing:
        return Finding.problem(
            f"headers are dropped on the way to {answer.url}: {', '.join(missing)}",
            meaning="without them the host refuses every webhook, or does not know what it is about",
            to_do="have the proxy pass on all headers that begin with X-Shopify- and X-Hub-",
            area=AREA,
        )
    return _refused(probe, answer)


def _redirected(answer: ProbeAnswer) -> Finding:
    parts = urlsplit(answer.location)
    target = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path or "another address"
    return Finding.problem(
        f"{answer.url} redirects (HTTP {answer.status}) to {target}",
        meaning=f"neither Shopify nor Meta follows a redirect; {_LOST}",
        to_do="subscribe the webhooks to the final address, or have the proxy answer here without a redirect",
        area=AREA,
    )


def _not_from_shopbot(answer: ProbeAnswer, *, large: bool) -> Finding:
    """Judge an answer that something in front of the host has made."""
    size = " to a body of 2 MB" if large else ""
    what = f"{answer.url} answers HTTP {answer.status}{size}, and it is not shopbot that answers"
    meaning, to_do = _LOST, "look into the proxy's log, and at where it sends these requests"
    match answer.status:
        case 200 | 201 | 202 | 204:
            meaning = "webhooks are acknowledged to the platforms and thrown away: nobody sends them again"
            to_do = (
                "point the proxy at the host for /webhooks/ (an older shopbot without probes answers like this, too:"
                " update it)"
            )
        case 401 | 403:
            to_do = "let requests to /webhooks/ through without a login, a firewall's rule or a bot check"
        case 404 | 405:
            to_do = "pass POST and GET on /webhooks/ on to the host, with the path as it is"
        case 413:
            meaning = "large orders are refused, and their webhooks lost"
            to_do = "raise the proxy's limit for bodies to 5 MB (nginx: client_max_body_size 5m)"
        case 429:
            to_do = "take the platforms' requests to /webhooks/ out of the proxy's rate limit"
        case 502 | 503 | 504:
            to_do = "see that the host runs (`shopbot run`), and that the proxy knows its address and port"
    return Finding.problem(what, meaning=meaning, to_do=to_do, area=AREA)


def _body_changed(probe: Probe, answer: ProbeAnswer, echo: Echo) -> Finding:
    sent, arrived = len(probe.body), echo.body_bytes
    how = f"{sent} bytes were sent, {arrived} arrived" if sent != arrived else "as long as before, with other bytes"
    return Finding.problem(
        f"the body is changed on the way to {answer.url}: {how}",
        meaning="a signature is over the exact bytes, so the host refuses every webhook as forged",
        to_do="have the proxy, CDN or firewall pass bodies on untouched: no JSON rewriting, no re-encoding, no filters",
        area=AREA,
    )


def _refused(probe: Probe, answer: ProbeAnswer) -> Finding | None:
    """Judge the host's own answer to a request that arrived whole."""
    which = "the secret" if probe.secrets == 1 else f"secret {probe.secret_index + 1} of {probe.secrets}"
    match answer.status:
        case 200:
            return None
        case 401 | 403:
            return Finding.problem(
                f"the host behind {answer.url} refuses what {which} of {probe.place} has signed (HTTP {answer.status})",
                meaning=f"it runs with another secret than this configuration, or serves another shop; what"
                f" {_PLATFORM[probe.route]} signs with this one is lost",
                to_do="give both the same configuration and environment, and restart the host",
                area=AREA,
            )
        case 503:
            return Finding.problem(
                f"the host behind {answer.url} cannot take webhooks in now (HTTP 503)",
                meaning="its store does not answer, or a verifier fails; the platforms try again for some hours",
                to_do="look at its log, /readyz, and the lines about the store",
                area=AREA,
            )
    return Finding.problem(
        f"the host behind {answer.url} answers HTTP {answer.status}",
        meaning=_LOST,
        to_do="look at its log; this answer is not one of a shopbot of this version",
        area=AREA,
    )


def _slow(answer: ProbeAnswer) -> Iterator[Finding]:
    if answer.seconds >= PLATFORM_SECONDS:
        yield Finding.problem(
            f"{answer.url} takes {answer.seconds:.1f} s to answer",
            meaning=f"the platforms wait {PLATFORM_SECONDS:g} s; {_LOST}, although the host has taken it in",
            to_do="find out whether the way there is slow (the proxy's log), or the host (shopbot_request_seconds in"
            " /metrics; its store's disk)",
            area=AREA,
        )
    elif answer.seconds >= _SLOW_SECONDS:
        yield Finding.warning(
            f"{answer.url} takes {answer.seconds:.1f} s to answer",
            meaning=f"the platforms wait {PLATFORM_SECONDS:g} s: a busy hour may be too much",
            to_do="look at shopbot_request_seconds in /metrics, the store's disk and the proxy's log",
            area=AREA,
        )
