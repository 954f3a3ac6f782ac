"""Meta's Graph API errors as data: what each one means for a message that was not sent.

Codes and meanings: https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes and
https://developers.facebook.com/docs/graph-api/guides/error-handling (which has 102 and 190). 1893061, 1893029 and
1200 are not in Meta's current table but seen in the field: https://github.com/chatwoot/chatwoot/issues/14669. What to
do about each code is our judgement; Meta says it only through `is_transient`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_HOURS = 3600.0
_LONGEST_EXPLANATION = 240
# Numbers as long as a PSID, and words as long as a token: Meta quotes both in some errors.
_CONFIDENTIAL = re.compile(r"[\w-]{20,}|\d{6,}")


class Verdict(StrEnum):
    """What to do about an error."""

    RETRY = "retry"
    RATE_LIMIT = "rate_limit"
    """Stop all sends of this Page until the limit is over."""
    RESTRICTED = "restricted"
    """Stop all sends of this Page for hours, and tell the operator."""
    CHANNEL_DOWN = "channel_down"
    OUTSIDE_WINDOW = "outside_window"
    """Never as free text; an approved utility template may still be sent."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    code: int
    subcode: int | None
    """None stands for all subcodes without a row of their own, and for none."""
    verdict: Verdict
    meaning: str
    """For the journal: what is wrong, and what to do where somebody can do something."""
    wait_seconds: float | None = None
    """The shortest wait; None leaves it to the answer's headers and the retry settings."""


_TOKEN = "the access token is invalid, expired or revoked; make a new Page token and set access_token"  # noqa: S105 - prose

RULES = (
    Rule(1, None, Verdict.RETRY, "an unknown fault at Meta"),
    Rule(1, 99, Verdict.RETRY, "unknown; often a permission or access level that the app lacks"),
    Rule(2, None, Verdict.RETRY, "the service is temporarily unavailable"),
    Rule(2, 2018344, Verdict.REFUSED, "an admin of the Page must accept Meta's terms first"),
    Rule(4, None, Verdict.RATE_LIMIT, "the app's request limit is reached"),
    Rule(10, None, Verdict.REFUSED, "the app lacks the permission for this; ask for pages_messaging"),
    Rule(10, 2018065, Verdict.OUTSIDE_WINDOW, "outside the standard messaging window"),
    Rule(10, 2018108, Verdict.REFUSED, "this person cannot receive messages from the Page now"),
    Rule(10, 2018278, Verdict.OUTSIDE_WINDOW, "outside the standard messaging window"),
    Rule(10, 2534022, Verdict.OUTSIDE_WINDOW, "outside the standard messaging window"),
    Rule(
        10, 1893063, Verdict.RESTRICTED, "the Page is restricted for policy reasons; see its support inbox", 2 * _HOURS
    ),
    Rule(17, None, Verdict.RATE_LIMIT, "the user's request limit is reached"),
    Rule(32, None, Verdict.RATE_LIMIT, "the Page's request limit is reached"),
    Rule(100, None, Verdict.REFUSED, "invalid parameter; for a utility template: its name, language, approval, values"),
    Rule(100, 33, Verdict.REFUSED, "the Page does not exist for this token; check page_id and the token's Page"),
    Rule(100, 1893029, Verdict.REFUSED, "the utility template has buttons with placeholders, which have no values"),
    Rule(100, 1893061, Verdict.REFUSED, "message tags have ended; this request carried one"),
    Rule(100, 2018001, Verdict.REFUSED, "no such person for this Page"),
    Rule(100, 2018008, Verdict.RETRY, "an attachment could not be fetched"),
    Rule(100, 2018047, Verdict.REFUSED, "an attachment has the wrong type"),
    Rule(100, 2018109, Verdict.REFUSED, "an attachment is too large"),
    Rule(102, None, Verdict.CHANNEL_DOWN, _TOKEN),
    Rule(190, None, Verdict.CHANNEL_DOWN, _TOKEN),
    Rule(200, None, Verdict.REFUSED, "the app may not message the public; it needs advanced access to pages_messaging"),
    Rule(200, 1545041, Verdict.REFUSED, "this person is not available"),
    Rule(
        200, 2018028, Verdict.REFUSED, "the app may not message the public; it needs advanced access to pages_messaging"
    ),
    Rule(341, None, Verdict.RATE_LIMIT, "the app's limit is reached"),
    Rule(
        368,
        None,
        Verdict.RESTRICTED,
        "temporarily blocked for a policy violation; see the Page's support inbox",
        2 * _HOURS,
    ),
    Rule(551, None, Verdict.REFUSED, "this person is not available: blocked the Page, deactivated or unreachable"),
    Rule(613, None, Verdict.RATE_LIMIT, "the rate limit is reached"),
    Rule(613, 2018338, Verdict.REFUSED, "this person is being messaged too often"),
    Rule(1200, None, Verdict.RETRY, "a temporary failure to send"),
    Rule(2022, None, Verdict.REFUSED, "the Page's commerce messages are disabled after a violation"),
    Rule(80001, None, Verdict.RATE_LIMIT, "the Page's rate limit is reached"),
    Rule(80002, None, Verdict.RATE_LIMIT, "the account's rate limit is reached"),
    Rule(80006, None, Verdict.RATE_LIMIT, "Messenger's rate limit is reached"),
    Rule(2018300, None, Verdict.RETRY, "another app controls the conversation", 300.0),
    Rule(2018321, None, Verdict.RETRY, "one of Messenger's own flows controls the conversation", 300.0),
)

_BAD_PROOF = Rule(
    100, None, Verdict.CHANNEL_DOWN, "app_secret is missing, or not that of the app which made the access token"
)
"""The one row that needs Meta's words: it has the code of every wrong parameter, but concerns all messages.
https://developers.facebook.com/docs/graph-api/guides/secure-requests"""

_BY_CODE: Mapping[tuple[int, int | None], Rule] = {(rule.code, rule.subcode): rule for rule in RULES}

_WHEN_TRANSIENT = {Verdict.REFUSED: Verdict.RETRY, Verdict.CHANNEL_DOWN: Verdict.RETRY}
"""`is_transient: true` takes back what looks final. Pauses stay pauses, and a closed window stays closed: for it, a
retry is never the answer."""

_WHEN_LASTING = {Verdict.RETRY: Verdict.REFUSED}
"""`is_transient: false` makes a retry pointless. Rate limits stay what they are: they end."""


@dataclass(frozen=True, slots=True)
class GraphError:
    """The `error` object of an answer, as far as it decides anything."""

    code: int
    subcode: int | None
    is_transient: bool | None
    is_about_proof: bool
    """Whether Meta complains about `appsecret_proof`."""
    trace_id: str
    """What Meta's support asks for."""
    explanation: str
    """Meta's own words, for the journal, without ids and tokens; empty where they quote the message."""

    @classmethod
    def read(cls, answer: Mapping[str, Any], quoted: Iterable[str] = ()) -> "GraphError | None":
        """Read an answer's body; None where it has no error with a code.

        quoted: texts that were sent and must not come back in the explanation.
        """
        error = answer.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        if not isinstance(error, Mapping) or not isinstance(code, int) or isinstance(code, bool):
            return None
        subcode, transient = error.get("error_subcode"), error.get("is_transient")
        return cls(
            code=code,
            subcode=subcode if isinstance(subcode, int) else None,
            is_transient=transient if isinstance(transient, bool) else None,
            is_about_proof="appsecret_proof" in str(error.get("message")),
            trace_id=str(error.get("fbtrace_id", ""))[:64],
            # Template errors say why only in error_user_msg.
            explanation=_explanation(error.get("error_user_msg") or error.get("message"), quoted),
        )

    def describe(self, rule: Rule | None) -> str:
        """Say in one line, for the journal, what went wrong."""
        number = str(self.code) if self.subcode is None else f"{self.code}/{self.subcode}"
        meaning = "unknown to shopbot" if rule is None else rule.meaning
        return f"Messenger error {number}: {meaning}" + (f" ({self.explanation})" if self.explanation else "")

    def judge(self, http_status: int) -> tuple[Verdict, Rule | None]:
        """Say what to do, and by which row; None is an error that the table does not know.

        The order: `is_transient`, code with subcode, code alone, HTTP status; what is left is final.
        """
        rule = _BY_CODE.get((self.code, self.subcode)) or _BY_CODE.get((self.code, None))
        if self.code == _BAD_PROOF.code and self.is_about_proof:
            rule = _BAD_PROOF
        if rule is not None:
            verdict = rule.verdict
        elif http_status == 429:  # noqa: PLR2004 - too many requests
            verdict = Verdict.RATE_LIMIT
        elif http_status == 408 or http_status >= 500:  # noqa: PLR2004 - request timeout; a server's fault
            verdict = Verdict.RETRY
        else:
            verdict = Verdict.REFUSED
        if self.is_transient is None:
            return verdict, rule
        return (_WHEN_TRANSIENT if self.is_transient else _WHEN_LASTING).get(verdict, verdict), rule


def _explanation(text: object, quoted: Iterable[str]) -> str:
    if not isinstance(text, str) or any(part and part in text for part in quoted):
        return ""
    return _CONFIDENTIAL.sub("…", " ".join(text.split()))[:_LONGEST_EXPLANATION]
