r"""Halves of surrogate pairs: whoever escapes as JSON does writes an emoji as two of them (`\ud83d\udce6`)."""


def joined(text: str) -> str:
    """Make one character of each two halves; a half alone, which nobody can write as UTF-8, becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
