"""What an answer of the Send API says about a message: sent, not sent and what to do, or nobody can say."""

import httpx

from shopbot.plugin import ChannelDown, InDoubt, Logger, OutboundMessage, Reason, Receipt, Refused, Retry, mask
from shopbot_plugins._endpoint import retry_after_seconds
from shopbot_plugins._json import read_object
from shopbot_plugins._messenger_body import quotable
from shopbot_plugins._messenger_errors import GraphError, Verdict
from shopbot_plugins._messenger_usage import Usage

RATE_LIMIT_SECONDS = 60.0
"""The pause after a rate limit where Meta states none; calls during the limit would prolong it."""

_NOT_THE_GRAPH_API = frozenset({401, 403, 404, 405, 407})
_TOO_MANY_REQUESTS = 429
_REQUEST_TIMEOUT = 408
_UNAVAILABLE = 503


def read_answer(message: OutboundMessage, response: httpx.Response, log: Logger) -> Receipt:
    """Give the receipt of a message that was sent.

    The body decides, not the status: an `error` object says that nothing was sent, even inside a 200.

    Raises:
        Retry, Refused, ChannelDown: it was not sent.
        InDoubt: the answer does not tell.
    """
    usage = Usage.read(response.headers)
    if usage.percent is not None:
        log.debug("messenger_usage", percent=usage.percent, regain_access_seconds=usage.regain_access_seconds)
    answer = read_object(response)
    message_id = answer.get("message_id")
    error = GraphError.read(answer, quotable(message))
    if error is not None and message_id is None:
        raise _refusal(message, response, error, usage, log)
    if error is None and response.is_success and isinstance(message_id, str) and message_id:
        return Receipt(message_id=message_id, usage_percent=usage.percent)
    log.warning(
        "messenger_answer_unexplained",
        http_status=response.status_code,
        psid=mask(message.psid),
        order_id=message.order_id,
    )
    if message_id is not None:
        raise InDoubt(f"Messenger's answer (HTTP {response.status_code}) contradicts itself")
    raise _unexplained(response)


def _refusal(
    message: OutboundMessage, response: httpx.Response, error: GraphError, usage: Usage, log: Logger
) -> Retry | Refused | ChannelDown:
    verdict, rule = error.judge(response.status_code)
    report = log.warning
    if verdict in {Verdict.CHANNEL_DOWN, Verdict.RESTRICTED} or rule is None:
        report = log.error
    report(
        "messenger_error",
        code=error.code,
        subcode=error.subcode,
        fbtrace_id=error.trace_id,
        http_status=response.status_code,
        verdict=verdict.value,
        psid=mask(message.psid),
        order_id=message.order_id,
    )
    reason = error.describe(rule)
    asked_seconds = retry_after_seconds(response.headers)
    stated_seconds = None if rule is None else rule.wait_seconds
    match verdict:
        case Verdict.RETRY:
            return Retry(reason, after_seconds=asked_seconds or stated_seconds)
        case Verdict.RATE_LIMIT:
            wait_seconds = usage.regain_access_seconds or asked_seconds or RATE_LIMIT_SECONDS
            return Retry(reason, after_seconds=wait_seconds, pauses_channel=True)
        case Verdict.RESTRICTED:
            wait_seconds = max(asked_seconds or 0.0, stated_seconds or RATE_LIMIT_SECONDS)
            return Retry(reason, after_seconds=wait_seconds, pauses_channel=True)
        case Verdict.CHANNEL_DOWN:
            return ChannelDown(reason)
        case Verdict.OUTSIDE_WINDOW:
            return Refused(reason, code=Reason.OUTSIDE_WINDOW)
        case Verdict.REFUSED:
            return Refused(reason)


def _unexplained(response: httpx.Response) -> Retry | Refused | ChannelDown | InDoubt:
    """Judge an answer without a Graph error: it comes from something between here and the Graph API, or behind it."""
    status = response.status_code
    reason = f"Messenger answered HTTP {status} without saying why"
    asked_seconds = retry_after_seconds(response.headers)
    if status == _REQUEST_TIMEOUT:
        # By its definition the request never arrived whole. https://www.rfc-editor.org/rfc/rfc9110#status.408
        return Retry(reason, after_seconds=asked_seconds)
    if status == _TOO_MANY_REQUESTS:
        return Retry(reason, after_seconds=asked_seconds or RATE_LIMIT_SECONDS, pauses_channel=True)
    if status == _UNAVAILABLE and asked_seconds is not None:
        # Turned away at the door, with a time to come back. A bare 503 is also what a proxy says that lost the
        # connection behind it after it had passed the request on.
        return Retry(reason, after_seconds=asked_seconds)
    if status in _NOT_THE_GRAPH_API or response.is_redirect:
        return ChannelDown(f"{reason}: this is not the Graph API; check api_url, and proxies on the way")
    if response.is_client_error:
        return Refused(reason)
    # 2xx without a message id, and 500, 502, 503, 504: the message may have been accepted before things went wrong.
    return InDoubt(reason)
