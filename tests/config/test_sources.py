"""What is read of a configuration at one moment, and where its changes come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.config import sources
from shopbot.config.loader import read
from shopbot.config.problem import ConfigError
from shopbot.config.snapshot import Snapshot
from shopbot.config.sources import Sources, read_sources
from shopbot.discovery import Found, discover

YAML = "shop: {domain: acme.myshopify.com, name: Acme}\n"


def look(directory: Path, *, beside: tuple[str, ...] = ()) -> Sources:
    return read_sources(directory / "shopbot.yaml", {}, beside=[directory / name for name in beside])


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_version_changes_with_each_part_that_runs_and_with_nothing_else(tmp_path: Path) -> None:
    files = {"shopbot.yaml": YAML, "templates/a.txt.j2": "a", "templates/mails/b.txt.j2": "b", "plugins.d/c.py": "c"}
    write(tmp_path, files)
    first = look(tmp_path)
    versions = {first.version}
    for name, text in files.items():
        write(tmp_path, {name: text + "\n"})
        versions.add(look(tmp_path).version)
    last = look(tmp_path)
    write(tmp_path, {"notes.txt": "x", "templates/.hidden.j2": "x", "templates/readme.md": "x", "plugins.d/d.txt": "x"})

    assert len(versions) == 1 + len(files)
    assert all(len(version) == 12 for version in versions)
    assert look(tmp_path).state == last.state


def test_tests_beside_it_change_the_state_and_not_the_version(tmp_path: Path) -> None:
    write(tmp_path, {"shopbot.yaml": YAML})
    before = look(tmp_path, beside=("shopbot.test.yaml",))
    write(tmp_path, {"shopbot.test.yaml": "tests: []"})
    after = look(tmp_path, beside=("shopbot.test.yaml",))

    assert before.version == after.version
    assert before.state != after.state


def test_a_moved_letter_is_another_version(tmp_path: Path) -> None:
    write(tmp_path, {"shopbot.yaml": YAML, "templates/a.j2": "bc"})
    first = look(tmp_path)
    (tmp_path / "templates/a.j2").rename(tmp_path / "templates/ab.j2")
    (tmp_path / "templates/ab.j2").write_text("c")

    assert look(tmp_path).version != first.version


def test_a_snapshot_is_what_was_read_whatever_happens_to_the_files(tmp_path: Path) -> None:
    write(tmp_path, {"shopbot.yaml": YAML, "templates/a.txt.j2": "before", "plugins.d/ours.py": "WORD = 'before'"})
    kept = tmp_path / "kept"
    kept.mkdir()
    look(tmp_path).keep(kept)
    write(tmp_path, {"shopbot.yaml": "nonsense", "templates/a.txt.j2": "after", "plugins.d/ours.py": "WORD = 'after'"})
    snapshot = Snapshot.open(kept)
    loaded = read(snapshot.config, {}, snapshot=snapshot)
    found = discover(tmp_path / "plugins.d", copied=snapshot.plugins)["ours"]

    assert loaded.problems == ()
    assert loaded.document.file == str(tmp_path / "shopbot.yaml")
    settings = loaded.checked()
    assert (settings.templates_dir / "a.txt.j2").read_text() == "before"
    assert settings.data_dir == tmp_path / "data"
    assert isinstance(found, Found)
    module = found._import()
    assert module.WORD == "before"
    assert (module.__file__, found.origin) == (str(tmp_path / "plugins.d/ours.py"),) * 2


def test_a_file_that_is_not_there_is_a_version_too_whose_problem_the_check_says(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    snapshot = look(tmp_path).keep(kept)

    assert [str(problem) for problem in read(snapshot.config, {}, snapshot=snapshot).problems] == [
        f"{tmp_path / 'shopbot.yaml'}: there is no such file"
    ]


def test_a_directory_that_cannot_be_meant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_MOST_FILES", 3)
    write(tmp_path, {"shopbot.yaml": YAML, **{f"templates/{n}.j2": "x" for n in range(4)}})

    with pytest.raises(ConfigError, match="is `templates_dir` or `plugins_dir` another directory than was meant"):
        look(tmp_path)


def test_links_that_lead_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    write(tmp_path, {"shopbot.yaml": YAML, "templates/a.j2": "a"})
    (tmp_path / "templates/again").symlink_to(tmp_path / "templates")
    (tmp_path / "templates/loop.j2").symlink_to("loop.j2")

    with pytest.raises(ConfigError, match=r"loop\.j2 cannot be read"):
        look(tmp_path)
    (tmp_path / "templates/loop.j2").unlink()
    assert set(look(tmp_path).kept) == {"config", "templates/a.j2"}


def test_every_directory_is_watched_that_decides_where_a_file_is(tmp_path: Path) -> None:
    """As with releases/2 behind `current`, and with the two links of a Kubernetes ConfigMap."""
    release, mounted = tmp_path / "releases/1", tmp_path / "mounted"
    write(release, {"shopbot.yaml": YAML, "templates/mails/a.j2": "a"})
    write(mounted / "..2026", {"shopbot.yaml": YAML})
    (tmp_path / "current").symlink_to("releases/1")
    (mounted / "..data").symlink_to("..2026")
    (mounted / "shopbot.yaml").symlink_to("..data/shopbot.yaml")

    assert look(tmp_path / "current").directories == {
        tmp_path,
        release,
        release / "templates",
        release / "templates/mails",
    }
    assert look(mounted).directories == {mounted, mounted / "..2026"}
