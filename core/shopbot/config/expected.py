"""How a type of ours says what it wanted, so that the checker can add what it got, or keep it to itself."""

from pydantic_core import PydanticCustomError

KIND = "shopbot_expected"


def expected(what: str, hint: str = "", *, text: bool = True, got: bool = True) -> PydanticCustomError:
    """Give the error to raise in a validator. It never holds the value: that may be a secret.

    what: completes "expected …": "a duration such as 30s".
    hint: completes the message: "; say which unit"; "" for nothing.
    got: the message goes on with the value; False where the value says nothing.
    text: a text is wanted, so that a bare word which YAML took for something else needs quotes.
    """
    return PydanticCustomError(KIND, "expected {what}{hint}", {"what": what, "hint": hint, "text": text, "got": got})
