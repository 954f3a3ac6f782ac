"""Errors as the Graph API words them.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes and
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class GraphError:
    """One error answer.

    status: the HTTP status. Meta's documents call the body authoritative, so clients should not lean on it.
    subcode, is_transient, user_title, user_message: None leaves the field out, as Meta often does.
    """

    code: int
    message: str
    subcode: int | None = None
    status: int = 400
    type: str = "OAuthException"
    is_transient: bool | None = None
    user_title: str | None = None
    user_message: str | None = None

    def body(self, trace_id: str) -> dict[str, Any]:
        """Give the JSON body; *trace_id* is what Meta's support asks for."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        optional = {
            "error_subcode": self.subcode,
            "is_transient": self.is_transient,
            "error_user_title": self.user_title,
            "error_user_msg": self.user_message,
        }
        error.update({key: value for key, value in optional.items() if value is not None})
        error["fbtrace_id"] = trace_id
        return {"error": error}


class GraphRefusal(Exception):  # noqa: N818 - Meta refused, nothing failed
    """A call that Meta answers with *error*."""

    def __init__(self, error: GraphError) -> None:
        super().__init__(error.user_message or error.message)
        self.error = error


def invalid(message: str, subcode: int | None = None) -> GraphRefusal:
    """Give error 100, which stands for every kind of wrong parameter."""
    return GraphRefusal(GraphError(100, f"(#100) {message}", subcode))


def invalid_template(user_message: str, subcode: int | None = None) -> GraphRefusal:
    """Give error 100 as template errors come: the reason stands only in `error_user_msg`."""
    title = "Invalid message template"
    return GraphRefusal(GraphError(100, "Invalid parameter", subcode, user_title=title, user_message=user_message))


NO_TOKEN = GraphError(104, "An access token is required to request this resource.", status=400)
BAD_TOKEN = GraphError(190, "Invalid OAuth access token - Cannot parse access token")
NOT_A_DEVELOPER = GraphError(
    100, "(#100) You must provide an app access token, or a user access token that is an owner or developer of the app"
)
BAD_PROOF = GraphError(100, "Invalid appsecret_proof provided in the API argument", type="GraphMethodException")
MISSING_PROOF = GraphError(
    100, "API calls from the server require an appsecret_proof argument", type="GraphMethodException"
)
DEAD_TAG = GraphError(100, "(#100) Invalid parameter", 1893061, is_transient=False)
OUTSIDE_WINDOW = GraphError(
    10, "(#10) This message is sent outside of allowed window.", 2018278, status=403, is_transient=False
)
NO_SUCH_PERSON = GraphError(100, "(#100) No matching user found", 2018001, is_transient=False)
PERSON_UNAVAILABLE = GraphError(551, "(#551) This person isn't available right now.", 1545041)


def unknown_object(object_id: str) -> GraphError:
    """Give the answer for a Page that the token cannot reach."""
    return GraphError(
        100,
        f"Unsupported post request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation",
        33,
        type="GraphMethodException",
    )


def missing_permission(permission: str) -> GraphError:
    """Give the answer for a call that the token's permissions do not cover."""
    if permission == "pages_messaging":
        return GraphError(10, "(#10) Application does not have permission for this action", status=403)
    return GraphError(200, f"(#200) Requires {permission} permission to manage the object", status=403)


def revoked_token(subcode: int) -> GraphError:
    """Give error 190 for a token that once worked.

    subcode: 460 password changed, 463 expired, 458 app removed, 467 logged out.
    """
    return GraphError(190, "Error validating access token: The session has been invalidated.", subcode)


_KNOWN = {
    1: GraphError(1, "An unknown error has occurred.", status=500),
    2: GraphError(2, "Service temporarily unavailable", status=500, is_transient=True),
    4: GraphError(4, "(#4) Application request limit reached", status=403, is_transient=True),
    10: OUTSIDE_WINDOW,
    17: GraphError(17, "(#17) User request limit reached", is_transient=True),
    32: GraphError(32, "(#32) Page request limit reached", status=403),
    190: revoked_token(460),
    200: GraphError(200, "(#200) Cannot message users who are not admins of the app", 2018028, status=403),
    341: GraphError(341, "(#341) Application limit reached", is_transient=True),
    368: GraphError(368, "The action attempted has been deemed abusive or is otherwise disallowed"),
    551: PERSON_UNAVAILABLE,
    613: GraphError(613, "(#613) Calls to this api have exceeded the rate limit."),
    1200: GraphError(1200, "(#1200) Temporary send message failure. Please try again later.", status=500),
    2022: GraphError(2022, "(#2022) This Page cannot send commerce messages."),
    80006: GraphError(80006, "(#80006) There have been too many calls to this Messenger account."),
}


def graph_error(
    code: int,
    subcode: int | None = None,
    *,
    message: str | None = None,
    is_transient: bool | None = None,
    status: int | None = None,
) -> GraphError:
    """Give Meta's usual answer for *code*, changed where an argument is not None.

    A *subcode* other than the usual one of the code replaces it; the usual text stays.
    """
    known = _KNOWN.get(code, GraphError(code, f"(#{code}) Error"))
    return replace(
        known,
        subcode=known.subcode if subcode is None else subcode,
        message=known.message if message is None else message,
        is_transient=known.is_transient if is_transient is None else is_transient,
        status=known.status if status is None else status,
    )
