"""A plugin's manual, its docstring, as Markdown."""

import re
import textwrap

_INDENTED = re.compile(r"(?m)^((?: {4}.*\n|\n(?= {4}))+)")


def fenced(manual: str) -> str:
    """Turn a manual's indented YAML into fenced YAML."""
    return _INDENTED.sub(lambda block: f"```yaml\n{textwrap.dedent(block[1]).strip()}\n```\n", manual).strip()


def first_block(manual: str) -> str:
    """Give a manual's first YAML, with a line break at its end; empty where there is none."""
    found = _INDENTED.search(manual)
    return textwrap.dedent(found[1]).strip() + "\n" if found else ""
