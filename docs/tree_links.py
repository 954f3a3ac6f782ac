"""Links that leave the manual, on the site: files of the tree are no pages of it.

In the tree `[config/redis.yaml](../config/redis.yaml)` leads to the file. A site that knows its repository leads there;
one that does not says the name alone. MkDocs calls `on_page_markdown` (`hooks:` in mkdocs.yml).
"""

from __future__ import annotations

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)#: ]+)(?P<anchor>#[^)]*)?\)")


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Give the page with the links that leave `docs/` changed."""
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def change(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link["target"]))
        if path.startswith("docs/"):
            return link[0]
        if not config.repo_url:
            return link["text"]
        return f"[{link['text']}]({config.repo_url.rstrip('/')}/blob/main/{path}{link['anchor'] or ''})"

    # What stands in a block of code is code.
    parts = re.split(r"(?ms)(^```.*?^```$)", markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(change, part) for part in parts)
