from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NewType

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr, field_validator, model_validator
from typing_extensions import TypedDict

from shopbot.config.document import Document, parse
from shopbot.config.duration import PositiveDuration
from shopbot.config.environment import expand
from shopbot.config.validation import validate

ENVIRON = {"TOKEN": "hunter2-hunter2", "PIN": "42", "URL": "ftp://example.org/hunter2"}


class PluginConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def complaints(model: type[BaseModel], yaml: str) -> list[str]:
    """What a plugin's model says about its entry, which stands in line 3 and below."""
    entry = "".join(f"    {line}\n" for line in yaml.splitlines())
    document = expand(parse(f"senders:\n  - use: thing\n{entry}", "f"), ENVIRON)
    entries = document.data["senders"]
    assert isinstance(entries, list)
    settings = {key: value for key, value in entries[0].items() if key != "use"}
    _, problems = validate(model, document, ("senders", 0), settings)
    assert problems == sorted(set(problems))
    return [str(problem) for problem in problems]


class Endpoint(PluginConfig):
    url: str
    retries: int = Field(3, gt=0, le=10)


class Options(PluginConfig):
    page_id: str = Field(min_length=1)
    secrets: list[SecretStr] = Field(default=[], max_length=2)
    endpoint: Endpoint | None = None
    endpoints: dict[str, Endpoint] = {}
    ratio: float = Field(1, ge=0, lt=1.5)
    mode: Literal["fast", "slow"] = "fast"
    every: PositiveDuration | None = None
    amounts: tuple[int, ...] = ()
    code: str = Field("AA", pattern="^[A-Z]{2}$")
    aliased: int = Field(0, alias="from")


def test_an_instance_comes_without_problems() -> None:
    document = parse("page_id: '1'", "f")
    options, problems = validate(Options, document, (), document.data)

    assert problems == []
    assert options is not None
    assert options.page_id == "1"


def test_all_problems_come_at_once_each_at_its_place() -> None:
    assert complaints(
        Options,
        """\
pageid: 1
secrets: [a, b, c]
endpoint:
  uri: x
  retries: 0
endpoints:
  main: {url: u, retries: 11}
  other: 5
ratio: 1.5
mode: Fast
every: 10
amounts: [1, x, 2.5]
code: abc
from: many""",
    ) == [
        "f:2:5: senders[0] has no 'page_id'",
        "f:3:5: unknown key 'pageid'; did you mean 'page_id'?",
        "f:4:14: senders[0].secrets: expected at most 2 entries, got a list",
        "f:5:5: senders[0].endpoint has no 'url'",
        "f:6:7: unknown key 'uri'; did you mean 'url'?",
        "f:7:16: senders[0].endpoint.retries: expected a positive number, got 0",
        "f:9:31: senders[0].endpoints.main.retries: expected at most 10, got 11",
        "f:10:14: senders[0].endpoints.other: expected 'key: value' lines, got 5",
        "f:11:12: senders[0].ratio: expected a number below 1.5, got 1.5",
        "f:12:11: senders[0].mode: expected 'fast' or 'slow', got the text 'Fast'; did you mean 'fast'?",
        "f:13:12: senders[0].every: expected a duration such as 30s, 10m, 24h or 365d, got 10: say which unit",
        "f:14:18: senders[0].amounts[1]: expected a whole number, got the text 'x'",
        "f:14:21: senders[0].amounts[2]: expected a whole number, got 2.5",
        "f:15:11: senders[0].code: expected text of the form ^[A-Z]{2}$, got the text 'abc'",
        "f:16:11: senders[0].from: expected a whole number, got the text 'many'",
    ]


@pytest.mark.parametrize(
    ("number", "got"),
    [
        ("acme", "the text 'acme'"),
        ("“1022”", "the text '“1022”'; its quotes are curly, and YAML knows only straight ones"),
    ],
)
def test_a_number_that_is_a_name_is_made_of_digits(number: str, got: str) -> None:
    class Page(BaseModel):
        page_id: str = Field(pattern="^[0-9]{1,32}$")

    [problem] = complaints(Page, f"page_id: {number}")

    assert problem.endswith(f"page_id: expected digits alone, at most 32, got {got}")


def test_an_unknown_key_like_no_other_lists_the_known_ones() -> None:
    assert complaints(Endpoint, "url: x\ncolour: red") == ["f:4:5: unknown key 'colour'; known here: url, retries"]


def test_a_number_without_quotes_where_text_is_wanted_is_told_so() -> None:
    assert complaints(Options, "page_id: 102290129340398") == [
        'f:3:14: senders[0].page_id: expected text, got the number 102290129340398; put it in quotes: "102290129340398"'
    ]


class Unions(PluginConfig):
    simple: int | list[int] | None = None
    model: Endpoint | str | None = None
    models: Endpoint | Options | None = None
    several: list[str | Endpoint] = []


@pytest.mark.parametrize(
    ("yaml", "problems"),
    [
        ("simple: x", ["f:3:13: senders[0].simple: expected a whole number or a list, got the text 'x'"]),
        ("simple: [1, x]", ["f:3:17: senders[0].simple[1]: expected a whole number, got the text 'x'"]),
        ("model: {url: x, retries: -1}", ["f:3:30: senders[0].model.retries: expected a positive number, got -1"]),
        (
            "model: 5",
            [
                (
                    "f:3:12: senders[0].model: expected 'key: value' lines or text, got the number 5; "
                    'put it in quotes: "5"'
                )
            ],
        ),
        ("models: {url: x, retires: 1}", ["f:3:22: unknown key 'retires'; did you mean 'retries'?"]),
        (
            "several: [x, {uri: y}]",
            ["f:3:18: senders[0].several[1] has no 'url'", "f:3:19: unknown key 'uri'; did you mean 'url'?"],
        ),
    ],
)
def test_the_types_of_a_union_speak_with_one_voice(yaml: str, problems: list[str]) -> None:
    assert complaints(Unions, yaml) == problems


class Keyed(PluginConfig):
    by_number: dict[int, str] = {}


def test_a_wrong_key_of_a_free_mapping_is_pointed_at() -> None:
    assert complaints(Keyed, "by_number: {1: a, two: b}") == [
        "f:3:23: senders[0].by_number: expected a whole number, got 'two'"
    ]


# secrets


class Nested(PluginConfig):
    token: SecretStr


@dataclass
class Credentials:
    password: SecretStr


class Tokens(RootModel[list[SecretStr]]):
    pass


class Pair(TypedDict):
    user: str
    password: SecretStr


ApiKey = NewType("ApiKey", SecretStr)


class Secretive(PluginConfig):
    pair: Pair | None = None
    key: ApiKey | None = None
    token: SecretStr = SecretStr("")
    tokens: list[SecretStr] = []
    by_name: dict[str, SecretStr] = {}
    nested: Nested | None = None
    credentials: Credentials | None = None
    rooted: Tokens | None = None
    either: SecretStr | int = 0
    number: int = 0
    text: str = Field("", max_length=3)
    mode: Literal["fast", "slow"] = "fast"
    wait: PositiveDuration | None = None


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("token: 012345", "3:12: senders[0].token: expected text, got a number; put it in quotes"),
        ("token: yes", "3:12: senders[0].token: expected text, got a boolean; put it in quotes"),
        ("token: [hunter2]", "3:12: senders[0].token: expected text, got a list"),
        ("tokens: hunter2", "3:13: senders[0].tokens: expected a list, got a text"),
        ("tokens: [a, 815]", "3:17: senders[0].tokens[1]: expected text, got a number; put it in quotes"),
        ("by_name: {a: 815}", "3:18: senders[0].by_name.a: expected text, got a number; put it in quotes"),
        ("nested: hunter2", "3:13: senders[0].nested: expected 'key: value' lines, got a text"),
        ("nested: {token: 815}", "3:21: senders[0].nested.token: expected text, got a number; put it in quotes"),
        ("nested: {tokn: hunter2}", "3:14: unknown key 'tokn'; did you mean 'token'?"),
        (
            "credentials: {password: 815}",
            "3:29: senders[0].credentials.password: expected text, got a number; put it in quotes",
        ),
        (
            "pair: {user: x, password: 815}",
            "3:31: senders[0].pair.password: expected text, got a number; put it in quotes",
        ),
        ("key: 815", "3:10: senders[0].key: expected text, got a number; put it in quotes"),
        ("rooted: [815]", "3:14: senders[0].rooted[0]: expected text, got a number; put it in quotes"),
        ("either: [815]", "3:13: senders[0].either: expected text or a whole number, got a list"),
    ],
)
def test_what_the_model_calls_secret_is_never_shown(yaml: str, problem: str) -> None:
    found = complaints(Secretive, yaml)

    assert f"f:{problem}" in found
    assert not any("hunter2" in line or "815" in line or "012345" in line for line in found)


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("number: ${TOKEN}", "3:13: senders[0].number: expected a whole number, got the value of ${TOKEN}"),
        (
            "number: x-${PIN}-${TOKEN}",
            "3:13: senders[0].number: expected a whole number, got the value of ${PIN} and ${TOKEN}",
        ),
        ("text: ${TOKEN}", "3:11: senders[0].text: expected at most 3 characters, got the value of ${TOKEN}"),
        ("mode: ${TOKEN}", "3:11: senders[0].mode: expected 'fast' or 'slow', got the value of ${TOKEN}"),
        (
            "wait: ${PIN}",
            "3:11: senders[0].wait: expected a duration such as 30s, 10m, 24h or 365d, got the value of ${PIN}",
        ),
        ("tokens: ${TOKEN}", "3:13: senders[0].tokens: expected a list, got the value of ${TOKEN}"),
    ],
)
def test_what_came_from_the_environment_is_never_shown(yaml: str, problem: str) -> None:
    assert complaints(Secretive, yaml) == [f"f:{problem}"]


class Talkative(PluginConfig):
    url: Annotated[str, Field(description="x")] = ""
    token: SecretStr = SecretStr("")
    pin: str = ""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError(f"must start with https://, and {value!r} does not")
        return value

    @field_validator("token")
    @classmethod
    def _check_token(cls, value: SecretStr) -> SecretStr:
        raw = value.get_secret_value()
        if raw and not raw.startswith("EA"):
            raise ValueError(f"a token starts with EA, not with {raw[:10]}")
        return value

    @field_validator("pin")
    @classmethod
    def _check_pin(cls, value: str) -> str:
        if value and len(value) < 4:
            raise ValueError(f"{value} is too short")
        return value

    @model_validator(mode="after")
    def _check_all(self) -> Talkative:
        if self.url == "https://all" and self.token:
            raise ValueError(f"no token is needed there, but there is {self.token.get_secret_value()}")
        return self


KEPT = "this value is refused; the reason is not shown because it repeats a secret"


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("url: http://x", "3:10: senders[0].url: must start with https://, and 'http://x' does not"),
        ("url: ${URL}", f"3:10: senders[0].url: {KEPT}"),
        ("token: hunter2-hunter2", f"3:12: senders[0].token: {KEPT}"),
        ("token: ${TOKEN}", f"3:12: senders[0].token: {KEPT}"),
        ("pin: '13'", "3:10: senders[0].pin: 13 is too short"),
        ("pin: ${PIN}", f"3:10: senders[0].pin: {KEPT}"),
        ("url: https://all\ntoken: EAhunter2", f"2:5: senders[0]: {KEPT}"),
    ],
)
def test_a_validator_s_own_words_are_kept_back_when_they_repeat_a_secret(yaml: str, problem: str) -> None:
    assert complaints(Talkative, yaml) == [f"f:{problem}"]


def test_secrets_in_a_dataclass_that_is_declared_in_a_function_are_not_shown() -> None:
    @dataclass
    class Local:
        password: SecretStr

    class Config(PluginConfig):
        local: Local

    Config.model_rebuild(_types_namespace={"Local": Local, "SecretStr": SecretStr})
    assert complaints(Config, "local: {password: 815}") == [
        "f:3:23: senders[0].local.password: expected text, got a number; put it in quotes"
    ]


def test_a_path_with_an_unset_variable_is_not_complained_about_twice() -> None:
    document = expand(parse("number: ${NOPE}\ntext: abcd", "f"), {})
    _, problems = validate(Secretive, document, (), document.data)

    assert [str(problem) for problem in problems] == ["f:2:7: text: expected at most 3 characters, got the text 'abcd'"]


def test_data_that_stands_in_no_file_is_still_checked() -> None:
    _, problems = validate(Endpoint, Document("f", None, {}), ("senders", 0), {"url": 5})

    assert [str(problem) for problem in problems] == ["f:1:1: senders[0].url: expected text, got the number 5"]
