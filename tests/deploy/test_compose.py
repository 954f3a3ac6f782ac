"""compose.yaml, as far as it can be looked at without a daemon that runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from shopbot import __version__
from shopbot.host.blueprint import check_config
from shopbot.store.server_binary import find_server_binary
from support.deployment import COMPOSE, DEPLOY, SHOP, last, longest_stop_seconds, services, variables
from support.documents import ROOT
from support.embedded_store import client_of, until
from support.node_package import node_package

EXAMPLE = dict(
    line.split("=", 1)
    for line in (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Make a directory with a short name: a unix socket's path holds about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="shopbot-") as directory:
        yield Path(directory)


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([sm])", text).groups()  # type: ignore[union-attr]  # fails where it is another
    return int(number) * {"s": 1, "m": 60}[unit]


def test_it_is_what_the_specification_describes(tmp_path: Path) -> None:
    """The linter dclint holds it against the JSON schema of the Compose specification, and has opinions of its own."""
    package = node_package("dclint", "3.1.0")
    rules: dict[str, Any] = {
        "service-keys-order": 0,  # ours is the order in which a reader asks
        "no-build-and-image": 0,  # the name is how a rollback finds the image of before
        "require-quotes-in-ports": [2, {"quoteType": "double"}],
    }
    (tmp_path / "dclint.json").write_text(json.dumps({"rules": rules}), encoding="utf-8")
    program = json.loads((package / "package.json").read_text(encoding="utf-8"))["bin"]["dclint"]
    node = shutil.which("node")
    assert node is not None

    done = subprocess.run(  # noqa: S603 - a linter
        [node, package / program, "--config", tmp_path / "dclint.json", "--max-warnings", "0", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, (done.stdout + done.stderr).strip()) == (0, "")


def test_the_host_gets_exactly_the_variables_that_its_configuration_names() -> None:
    assert services()["shopbot"]["environment"].keys() == variables(SHOP.read_text(encoding="utf-8"))


def test_the_example_of_the_environment_names_exactly_what_must_be_set() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?set it in \.env\}", text))

    assert EXAMPLE.keys() == required
    assert variables(text) - required == {"SHOPBOT_TAG"}
    assert not any(EXAMPLE.values())


def test_the_configuration_passes_the_check_with_these_variables() -> None:
    password = "0123456789abcdef" * 4
    environment = services()["shopbot"]["environment"]
    values = {
        name: re.sub(r"\$\{\w+:\?[^}]*\}", password, str(value)) if "://" in value else f"{name.lower()}-of-a-test"
        for name, value in environment.items()
    }

    checked = check_config(SHOP, values)

    assert [str(problem) for problem in checked.problems] == []
    assert checked.blueprint is not None
    assert checked.blueprint.settings.store.get_secret_value() == f"redis://:{password}@valkey:6379/0"


def test_without_a_url_the_host_has_a_store_of_its_own() -> None:
    values = {name: f"{name.lower()}-of-a-test" for name in variables(SHOP.read_text(encoding="utf-8"))}

    blueprint = check_config(SHOP, {**values, "STORE_URL": "", "SHOPBOT_DATA_DIR": "/var/lib/shopbot"}).blueprint

    assert blueprint is not None
    assert blueprint.settings.store.embedded
    assert blueprint.data_dir == Path("/var/lib/shopbot")


def test_only_the_host_is_reached_and_only_from_this_machine() -> None:
    assert services()["shopbot"]["ports"] == [f"127.0.0.1:8000:{last('EXPOSE').text}"]
    assert "ports" not in services()["valkey"]
    assert services()["valkey"]["networks"] == ["store"]
    assert yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["networks"]["store"] == {"internal": True}


@pytest.mark.parametrize("name", ["shopbot", "valkey"])
def test_no_service_can_do_more_than_it_must(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"


def test_the_host_is_given_the_time_that_it_needs_to_end() -> None:
    assert seconds(services()["shopbot"]["stop_grace_period"]) > longest_stop_seconds()


def test_the_host_waits_for_a_store_that_answers_and_keeps_what_it_writes() -> None:
    host, store = services()["shopbot"], services()["valkey"]

    assert host["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert "healthcheck" in store
    (data,) = last("VOLUME").words
    assert f"shopbot-data:{data}" in host["volumes"]
    assert f"./shop:{last('WORKDIR').text}:ro" in host["volumes"]
    assert host["environment"]["SHOPBOT_DATA_DIR"] == data
    assert "valkey-data:/data" in store["volumes"]


def test_the_image_is_called_by_the_version_that_it_holds() -> None:
    assert services()["shopbot"]["image"] == f"shopbot:${{SHOPBOT_TAG:-{__version__}}}"
    build = services()["shopbot"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_the_store_s_command_makes_a_server_that_loses_nothing_and_wants_the_password(
    tmp_path: Path, short_directory: Path
) -> None:
    """Run here, by the server that the embedded store uses, on a socket in the place of a port."""
    password = "0123456789abcdef"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "valkey-server").symlink_to(find_server_binary())
    data = tmp_path / "data"
    data.mkdir()
    socket = short_directory / "s"
    shell, option, script = services()["valkey"]["command"]
    script = script.replace("$$", "$").replace("dir /data", f"dir {data}\nport 0\nunixsocket {socket}")
    process = subprocess.Popen(  # noqa: S603 - the command of compose.yaml
        [shell, option, script],
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "VALKEY_PASSWORD": password},
        stdout=subprocess.DEVNULL,
    )
    try:
        until(socket.exists, "the server listens")
        with client_of(f"unix://:{password}@{socket}") as client:
            settings = client.config_get()
        with client_of(f"unix://{socket}") as client, pytest.raises(redis.RedisError, match="authenticat"):
            client.ping()
    finally:
        process.terminate()
        ended = process.wait(30)

    assert ended == 0  # told to end, the server itself did
    assert not socket.exists()
    wanted = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "save": ""}
    wanted |= {"maxmemory-policy": "noeviction"}
    assert {name: settings[name] for name in wanted} == wanted
