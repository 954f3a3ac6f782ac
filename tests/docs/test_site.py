"""The site of the manual: every page is in it, every link leads somewhere, and nothing of it comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.documents import PAGES, ROOT

DOCS = ROOT / "docs"
CODE = re.compile(r"(?ms)^```.*?^```$")


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without running what it names."""


_Loader.add_multi_constructor(
    "", lambda loader, _, node: loader.construct_yaml_str(node) if node.id == "scalar" else {}
)


def of_nav(entry: object) -> Iterator[str]:
    """Give the pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, Mapping):
        for below in entry.values():
            yield from of_nav(below)
    elif isinstance(entry, Sequence):
        for below in entry:
            yield from of_nav(below)


def test_every_page_is_in_the_navigation_once() -> None:
    site: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)  # noqa: S506 - see there
    listed = sorted(of_nav(site["nav"]))
    pages = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))

    assert listed == pages, "mkdocs.yml needs each page under docs/ once, under `nav:`"


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub and the site do."""
    headings = re.findall(r"(?m)^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")))
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_what_there_is(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#: ]*)(?:#([^) ]*))?\)", text):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(path), f"{target}#{anchor}"


def test_tests_that_are_named_exist() -> None:
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`(tests/\w+/[\w/]+\.py)`", CODE.sub("", page.read_text(encoding="utf-8")))
    }

    assert len(named) > 10
    assert [(page, name) for page, name in named if not (ROOT / name).exists()] == []


def build(directory: Path, **environ: str) -> Mapping[str, bytes]:
    """Build the site as `make docs` does, and give its files."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)]
    done = subprocess.run(  # noqa: S603 - this Python
        command,
        cwd=ROOT,
        # A proxy that nobody is behind: whatever asks the network is refused.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    return build(tmp_path_factory.mktemp("site"), SOURCE_DATE_EPOCH="1770000000")


@pytest.mark.timeout(600)
def test_it_builds_without_a_warning_and_the_same_each_time(site: Mapping[str, bytes], tmp_path: Path) -> None:
    assert build(tmp_path, SOURCE_DATE_EPOCH="1770000000") == site


def test_it_is_made_of_pages_and_not_of_what_makes_them(site: Mapping[str, bytes]) -> None:
    pages = {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in DOCS.rglob("*.md")}

    assert {name for name in site if name.endswith(".html")} == {*pages, "404.html"}
    assert not [name for name in site if name.endswith((".py", ".md"))]


def test_no_page_takes_anything_from_elsewhere(site: Mapping[str, bytes]) -> None:
    """Links may lead out; what a browser loads by itself may not."""
    for name, content in site.items():
        if name.endswith(".html"):
            html = content.decode()
            loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?([^\" >]+)", html)
            loaded += re.findall(
                r"<link[^>]*\srel=\"?(?:stylesheet|preconnect|icon|preload)[^>]*\shref=\"?([^\" >]+)", html
            )
            loaded += re.findall(
                r"<link[^>]*\shref=\"?([^\" >]+)[^>]*\srel=\"?(?:stylesheet|preconnect|icon|preload)", html
            )
            assert loaded
            assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], name


def test_links_out_of_the_manual_are_names_or_lead_to_the_repository(site: Mapping[str, bytes], tmp_path: Path) -> None:
    address = "https://git.example/shop/shopbot"
    known = build(tmp_path, REPOSITORY_URL=address)

    link = f'<a href="{address}/blob/main/config/conversations.yaml"><code>config/conversations.yaml</code></a>'
    assert link in known["conversations.html"].decode()
    assert "<p><code>config/conversations.yaml</code> is a whole shop" in site["conversations.html"].decode()
