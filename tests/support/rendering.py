"""Templates rendered on the spot."""

from __future__ import annotations

import pytest

from shopbot.messages.sandbox import TemplateError, TemplateSandbox


def render(source: str, *, sandbox: TemplateSandbox | None = None, **context: object) -> str:
    """Render a template in *sandbox*; None renders it in one of its own, without files and plugins."""
    place = sandbox or TemplateSandbox([])
    return place.render(place.compile_text(source, "t"), context)


def failure(source: str, *, sandbox: TemplateSandbox | None = None, **context: object) -> str:
    """Give what is said of a template that cannot be rendered; the test fails where it can."""
    with pytest.raises(TemplateError) as caught:
        render(source, sandbox=sandbox, **context)
    return caught.value.message
