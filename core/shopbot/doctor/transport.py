"""The connection to the public address: why none came about, and how long its certificate is good."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from shopbot.doctor.probe_answer import AREA
from shopbot.model.finding import Finding

_CERTIFICATE_WARNING_DAYS = 14
"""Certificates are renewed long before: two weeks before the end, something has gone wrong."""
_NOTHING_ARRIVES = "no webhook arrives: Shopify and Meta give up and stop sending, only polls still find orders"


def unreachable(url: str, error: Exception, limit_seconds: float) -> Finding:
    """Say why a request was not answered."""
    what, to_do = _why(error, limit_seconds)
    return Finding.problem(f"{url} {what}", meaning=_NOTHING_ARRIVES, to_do=to_do, area=AREA)


def _why(error: Exception, limit_seconds: float) -> tuple[str, str]:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "it cannot be verified"
            return f"has a certificate that is not trusted: {why}", (
                "give the proxy a certificate for this name from a public authority, with its whole chain, and renew it"
                " in time"
            )
        if isinstance(cause, ssl.SSLError):
            return f"fails at TLS: {cause.reason or 'no common protocol'}", "let the proxy speak TLS 1.2 or 1.3 here"
        if isinstance(cause, socket.gaierror):
            return "has a name that no DNS server knows", "mind typing slips; set the name's A or AAAA record"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses the connection", "see that the proxy, or the host, runs and listens on this port"
    if isinstance(error, httpx.ConnectTimeout):
        return "does not let anybody connect", "open the port in firewalls, and see that something listens there"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return f"does not answer within {limit_seconds:g} s", (
            "look whether requests reach the host (its log), and what the proxy waits for"
        )
    return f"cannot be reached: {type(error).__name__}", "look into the proxy's log; try it with curl from elsewhere"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Go through an error and those that led to it: httpx wraps what the socket said twice."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def certificate_end(response: httpx.Response) -> datetime | None:
    """Give when the server's certificate ends; None without TLS. Only while the response is open."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    ends = (tls.getpeercert() or {}).get("notAfter") if tls is not None else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None


def certificate_finding(ends: datetime, now: datetime) -> Finding:
    """Judge how long a certificate that is trusted today is still good."""
    what = f"the certificate is good until {ends:%Y-%m-%d}"
    if (ends - now).days >= _CERTIFICATE_WARNING_DAYS:
        return Finding.ok(what, area=AREA)
    return Finding.warning(
        f"{what}, {max(0, (ends - now).days)} days from now",
        meaning="after that Shopify and Meta refuse to connect, and no webhook arrives",
        to_do="renew it, and look why that did not happen by itself",
        area=AREA,
    )
