"""What the parts of shopbot.yaml have in common: a base model and a few annotated types."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails

from shopbot.config.duration import format_duration
from shopbot.config.expected import expected

_LONGEST_NAME = 100
NAME_PATTERN = rf"^[a-z][a-z0-9_]{{0,{_LONGEST_NAME - 1}}}$"
"""Names that appear in keys of the store, in metrics, on the command line and in what Messenger echoes."""

_NAME = re.compile(NAME_PATTERN)
_NAME_WORDS = "a name of lower-case letters, digits and '_' that starts with a letter"
_TEXT_WORDS = "a text that is not empty"

Item = TypeVar("Item")


class Written(BaseModel):
    """What is written in YAML, and described by a JSON schema in the same way."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Write durations among the defaults as people do; pydantic would write `PT24H`."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, field in cls.model_fields.items():
            if isinstance(field.default, timedelta):
                properties[field.alias or name]["default"] = format_duration(field.default)
        return schema


class Section(Written):
    """A part of shopbot.yaml: immutable, without unknown keys, and silent about its input in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def text_schema(pattern: str, words: str, examples: Iterable[str] = ()) -> dict[str, Any]:
    """Describe texts of one form for editors.

    words: complete "expected …", which is what editors show where a text has another form.
    examples: what editors propose.
    """
    # https://github.com/redhat-developer/yaml-language-server knows patternErrorMessage; others pass it over.
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "patternErrorMessage": f"expected {words}"}
    proposed = sorted(examples)
    return {**schema, "examples": proposed} if proposed else schema


def as_list(value: object) -> object:
    """Let a single value stand for a list of one."""
    return value if value is None or isinstance(value, list | tuple | dict) else [value]


class _OneOrManySchema:
    """Tells editors that a single value stands for a list of one."""

    def __init__(self, *, unique: bool) -> None:
        self._more = {"uniqueItems": True} if unique else {}

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(core_schema)
        return {"anyOf": [several["items"], {**several, **self._more}]}


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise expected(_NAME_WORDS if len(value) <= _LONGEST_NAME else f"a name of at most {_LONGEST_NAME} characters")
    return value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise expected("a number", text=False)
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise expected(_TEXT_WORDS)
    return value


def _distinct(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(values)) < len(values):
        raise expected("a list without repetitions", text=False, got=False)
    return values


def names_differ(place: str) -> AfterValidator:
    """Refuse a list whose entries do not each have a `name` of their own.

    place: the key of the list, to name the first entry by.
    """

    def validate(entries: tuple[Item, ...]) -> tuple[Item, ...]:
        errors: list[InitErrorDetails] = []
        seen: dict[str, int] = {}
        for index, entry in enumerate(entries):
            name: str = getattr(entry, "name")  # noqa: B009 - of whatever kind the entries are
            first = seen.setdefault(name, index)
            if first != index:
                kind = expected("a name of its own", f": {place}[{first}] has the same", text=False)
                errors.append(InitErrorDetails(type=kind, loc=(index, "name"), input=name))
        if errors:
            raise ValidationError.from_exception_data(place, errors, hide_input=True)
        return entries

    return AfterValidator(validate)


def one_of(names: Iterable[str]) -> str:
    """Write alternatives for people: `'a', 'b' or 'c'`."""
    *most, last = [repr(name) for name in names]
    return f"{', '.join(most)} or {last}" if most else last


Name = Annotated[str, AfterValidator(_name), WithJsonSchema(text_schema(NAME_PATTERN, _NAME_WORDS))]
"""A name that the merchant chooses: `order_confirmation`."""

Text = Annotated[str, AfterValidator(_filled), WithJsonSchema(text_schema(r"\S", _TEXT_WORDS))]
"""A text that says something."""

OneOrMany = Annotated[
    tuple[Item, ...],
    Field(min_length=1),
    BeforeValidator(as_list),
    AfterValidator(_distinct),
    _OneOrManySchema(unique=True),
]
"""One value or a list of them, in YAML; always a tuple in Python."""

InTurn = Annotated[tuple[Item, ...], Field(min_length=1), BeforeValidator(as_list), _OneOrManySchema(unique=False)]
"""The same, where the order counts and a value may stand twice."""

NOT_BOOLEAN = BeforeValidator(_no_boolean)
"""Keeps YAML's `yes` from becoming the number 1. Stands last in an annotation, behind the bounds."""
