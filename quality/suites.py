"""Which modules are mutated, and which tests belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Suite:
    """Modules that are mutated, and the tests that belong to them."""

    name: str
    modules: Sequence[str]
    """Paths from the root of the tree, with `*`."""
    tests: Sequence[str]


SUITES: Final = (
    Suite(
        "hmac",
        ("plugins/shopbot_plugins/*_hmac.py", "plugins/shopbot_plugins/_secret.py"),
        ("tests/plugins/test_shopify_hmac.py", "tests/plugins/test_messenger_hmac.py", "tests/plugins/test_secret.py"),
    ),
    Suite(
        "messages",
        tuple(
            f"core/shopbot/messages/{name}.py"
            for name in (*("delivery", "filters", "locales", "message", "mode", "renderer", "sandbox", "text"),)
        ),
        ("tests/messages",),
    ),
    Suite(
        "templates",
        ("core/shopbot/messages/template_*.py",),
        (
            *(f"tests/messages/test_{name}.py" for name in ("filters", "renderer", "sandbox", "templates")),
            *(
                f"tests/messages/test_template_{part}.py"
                for part in (
                    *("budget", "environment", "error", "filters", "language", "operations", "reading", "values"),
                )
            ),
        ),
    ),
    Suite(
        "decisions",
        tuple(f"core/shopbot/rules/{name}.py" for name in ("backoff", "news", "phrases", "rule")),
        tuple(f"tests/rules/test_{name}.py" for name in ("backoff", "news", "phrases", "rule")),
    ),
    Suite(
        "engine",
        ("core/shopbot/rules/attempt.py", "core/shopbot/rules/engine.py"),
        tuple(
            f"tests/rules/test_{name}.py"
            for name in ("attempt", "attempts", "carts", "conditions", "engine", "engine_hand_over")
        ),
    ),
    Suite("objection", ("core/shopbot/rules/objection.py",), ("tests/rules/test_objection.py",)),
    Suite("steps", ("core/shopbot/rules/steps.py",), ("tests/rules/test_steps.py",)),
    Suite(
        "sending",
        (
            *(f"core/shopbot/messages/{name}.py" for name in ("dispatch", "doubt", "gate")),
            "core/shopbot/rules/unsent.py",
        ),
        (
            *(f"tests/messages/test_dispatch{part}.py" for part in ("", "_doubt", "_limits", "_turns")),
            *(f"tests/messages/test_{name}.py" for name in ("doubt", "gate")),
            "tests/rules/test_unsent.py",
        ),
    ),
    Suite(
        "conversations",
        ("core/shopbot/rules/talk.py", "core/shopbot/rules/track_order.py"),
        ("tests/rules/test_talk.py", "tests/rules/test_track_order.py"),
    ),
    Suite("redaction", ("core/shopbot/rules/redaction.py",), ("tests/rules/test_redaction.py",)),
    Suite(
        "tokens",
        ("core/shopbot/rules/signed_tokens.py", "core/shopbot/rules/vouching.py"),
        ("tests/rules/test_signed_tokens.py", "tests/rules/test_vouching.py"),
    ),
    Suite(
        "checkout",
        ("core/shopbot/rules/note_checkout.py",),
        ("tests/rules/test_note_checkout.py",),
    ),
    Suite("privacy", ("core/shopbot/rules/compliance.py",), ("tests/rules/test_compliance.py",)),
)
