from __future__ import annotations

import json
from pathlib import Path

import pytest

from shopbot.testing.contracts import PSID
from support.command_line import Ended, shopbot

PACKAGE = [
    "shopbot-customer-list/.gitignore",
    "shopbot-customer-list/README.md",
    "shopbot-customer-list/pyproject.toml",
    "shopbot-customer-list/src/shopbot_customer_list/__init__.py",
    "shopbot-customer-list/src/shopbot_customer_list/customer_list.py",
    "shopbot-customer-list/src/shopbot_customer_list/py.typed",
    "shopbot-customer-list/tests/test_customer_list.py",
]


def new_plugin(directory: Path, *arguments: str, name: str = "customer_list") -> Ended:
    return shopbot("new-plugin", name, "--kind", "resolver", *arguments, directory=directory)


def tree(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_package_is_written_and_what_to_do_with_it_is_said(tmp_path: Path) -> None:
    ended = new_plugin(tmp_path)

    assert (ended.exit_code, ended.errors) == (0, "")
    assert tree(tmp_path) == PACKAGE
    assert ended.output == "\n".join(
        [
            "made a plugin (resolver):",
            *[f"  {path}" for path in PACKAGE],
            "",
            "shopbot.yaml uses it so:",
            "",
            "  resolvers:",
            "    - use: customer_list",
            f'      customers: {{7512345678901: "{PSID}"}}',
            "",
            "next:",
            "  $ pip install -e './shopbot-customer-list[test]'",
            "  $ pytest shopbot-customer-list",
            "  $ shopbot plugins customer_list",
            "",
        ]
    )


def test_a_drop_in_is_one_file_and_its_tests(tmp_path: Path) -> None:
    ended = new_plugin(tmp_path, "--drop-in")

    assert ended.exit_code == 0
    assert tree(tmp_path) == ["plugins.d/customer_list.py", "tests/test_customer_list.py"]
    assert ended.output.endswith(
        "next:\n  $ pip install 'shopbot[testing]'\n  $ pytest tests/test_customer_list.py\n  $ shopbot check\n"
    )


def test_a_drop_in_can_go_without_tests(tmp_path: Path) -> None:
    ended = new_plugin(tmp_path, "--drop-in", "--no-tests")

    assert tree(tmp_path) == ["plugins.d/customer_list.py"]
    assert ended.output.endswith("next:\n  $ shopbot plugins customer_list\n  $ shopbot check\n  $ shopbot run\n")


def test_it_can_be_made_elsewhere(tmp_path: Path) -> None:
    drop_in = new_plugin(tmp_path, "--directory", "shop", "--drop-in", "--plugins-dir", "ours/plugins")
    package = new_plugin(tmp_path, "--directory", "my packages", name="another")

    assert tree(tmp_path / "shop") == ["ours/plugins/customer_list.py", "tests/test_customer_list.py"]
    assert 'drop_in = "../ours/plugins/customer_list.py"' in (tmp_path / "shop/tests/test_customer_list.py").read_text()
    assert drop_in.output.endswith(
        "  $ pytest shop/tests/test_customer_list.py\n  $ shopbot check shop/shopbot.yaml\n",
    )
    assert tree(tmp_path / "my packages")[0] == "shopbot-another/.gitignore"
    assert "  $ pip install -e './my packages/shopbot-another[test]'\n  $ pytest 'my packages/" in package.output


def test_the_next_commands_find_it_wherever_it_is(tmp_path: Path) -> None:
    drop_in = new_plugin(tmp_path, "--directory", "shop", "--drop-in", "--no-tests")
    package = new_plugin(tmp_path, "--directory", str(tmp_path / "packages"), name="another")

    assert drop_in.output.endswith(
        "next:\n  $ shopbot plugins customer_list --plugins-dir shop/plugins.d\n"
        "  $ shopbot check shop/shopbot.yaml\n  $ shopbot run shop/shopbot.yaml\n"
    )
    assert f"  $ pip install -e '{tmp_path}/packages/shopbot-another[test]'\n" in package.output


def test_what_was_written_is_known_at_once(tmp_path: Path) -> None:
    new_plugin(tmp_path, "--drop-in")

    ended = shopbot("plugins", "customer_list", directory=tmp_path, columns=200)

    assert ended.output.startswith(
        "customer_list (resolver, from plugins.d/customer_list.py)\n\nFind the shopper in the shop's own list"
    )


def test_scripts_get_the_same_as_json(tmp_path: Path) -> None:
    ended = new_plugin(tmp_path, "--json")

    told = json.loads(ended.output)
    assert told["files"] == PACKAGE
    assert (told["name"], told["kind"]) == ("customer_list", "resolver")
    assert told["entry"].startswith("resolvers:\n  - use: customer_list\n")
    assert told["next"][2] == "shopbot plugins customer_list"


@pytest.mark.parametrize(
    ("arguments", "existing"),
    [
        ([], PACKAGE[-1]),
        (["--drop-in"], "tests/test_customer_list.py"),
    ],
)
def test_nothing_is_written_where_a_part_of_it_exists(arguments: list[str], existing: str, tmp_path: Path) -> None:
    path = tmp_path / existing
    path.parent.mkdir(parents=True)
    path.write_text("mine", encoding="utf-8")

    ended = new_plugin(tmp_path, *arguments)

    assert (ended.exit_code, ended.output) == (1, "")
    assert ended.errors == f"{existing} exists; nothing was written\n"
    assert tree(tmp_path) == [existing]
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "customer_list.py").symlink_to("nowhere.py")

    ended = new_plugin(tmp_path, "--drop-in")

    assert ended.exit_code == 1
    assert not (tmp_path / "plugins.d" / "nowhere.py").exists()


def test_a_name_that_is_taken_is_a_problem(tmp_path: Path) -> None:
    new_plugin(tmp_path, "--drop-in")

    again = new_plugin(tmp_path, "--drop-in")
    bundled = new_plugin(tmp_path, name="token_lookup")

    assert (again.exit_code, again.errors) == (
        1,
        "a plugin named 'customer_list' is there: plugins.d/customer_list.py; choose another name\n",
    )
    assert (bundled.exit_code, bundled.errors) == (
        1,
        "a plugin named 'token_lookup' is there: shopbot; choose another name\n",
    )


def test_a_name_of_another_form_is_wrong_usage(tmp_path: Path) -> None:
    ended = shopbot("new-plugin", "Customer-List", "--kind", "cart", directory=tmp_path, columns=200)

    assert (ended.exit_code, ended.output) == (2, "")
    assert "did you mean 'customer_list'?" in ended.errors
    assert tree(tmp_path) == []


@pytest.mark.parametrize("arguments", [[], ["--kind", "resolvr"]])
def test_without_a_kind_it_is_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    ended = shopbot("new-plugin", "customer_list", *arguments, directory=tmp_path, columns=200)

    assert ended.exit_code == 2
    assert "--kind" in ended.errors


def test_a_directory_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").write_text("a file", encoding="utf-8")

    ended = new_plugin(tmp_path, "--drop-in")

    assert (ended.exit_code, ended.output) == (1, "")
    assert ended.errors == "plugins.d: File exists\n"
