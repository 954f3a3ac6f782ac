"""What a model says about a path in its data: which keys are known there, and whether it is secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, RootModel, Secret, SecretBytes, SecretStr

from shopbot.config.nodes import KeyPath

_SECRET = (Secret, SecretStr, SecretBytes)


def known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Give the keys that may stand in the mapping at *path*, as they are written in YAML."""
    return [name for annotation in _annotations(model, path) for name in _members(annotation)]


def is_secret(model: type[BaseModel], path: KeyPath) -> bool:
    """Say whether the value at *path* is secret, or may hold a secret further down."""
    return any(_holds_secret(annotation, set()) for annotation in _annotations(model, path))


def secret_texts(model: type[BaseModel], data: object) -> Iterator[str]:
    """Give every text in *data* that stands where the model wants a secret."""
    return _secret_texts([model], data)


def _annotations(model: type[BaseModel], path: KeyPath) -> list[Any]:
    annotations: list[Any] = list(_alternatives(model))
    for part in path:
        annotations = [found for annotation in annotations for found in _below(annotation, part)]
    return annotations


def _below(annotation: Any, part: str | int) -> Iterator[Any]:  # noqa: ANN401 - annotations have no common type
    members = _members(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(part, str) and part in members:
        yield from _alternatives(members[part])
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(part, str):
        yield from _alternatives(arguments[1])
    elif isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet) and isinstance(part, int):
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _alternatives(argument)


def _alternatives(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - annotations have no common type
    """Take off what surrounds a type: Annotated, aliases, unions, root models."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for argument in get_args(annotation):
            yield from _alternatives(argument)
    elif hasattr(annotation, "__value__"):  # `type X = …`
        yield from _alternatives(annotation.__value__)
    elif hasattr(annotation, "__supertype__"):  # NewType
        yield from _alternatives(annotation.__supertype__)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _alternatives(annotation.model_fields["root"].annotation)
    else:
        yield annotation


def _members(annotation: Any) -> dict[str, Any]:  # noqa: ANN401 - annotations have no common type
    """Give a model's keys with their types; nothing for what is no model."""
    if not isinstance(annotation, type):
        return {}
    if issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return {field.alias or name: field.annotation for name, field in fields if not _is_rest(annotation, name)}
    if dataclasses.is_dataclass(annotation) or _is_typed_dict(annotation):
        try:
            return get_type_hints(annotation)
        except NameError:  # declared inside a function: take everything for secret
            return dict.fromkeys(annotation.__annotations__, SecretStr)
    return {}


def _is_typed_dict(annotation: type) -> bool:
    # typing.is_typeddict does not know the TypedDict of typing_extensions, which pydantic asks for before 3.12.
    return issubclass(annotation, dict) and hasattr(annotation, "__total__")


def _is_rest(model: type[BaseModel], name: str) -> bool:
    """Say whether a field collects other keys, so that it is no key itself."""
    return name in getattr(model, "collecting_fields", ())


def _holds_secret(annotation: Any, seen: set[int]) -> bool:  # noqa: ANN401 - annotations have no common type
    if id(annotation) in seen:
        return False
    seen.add(id(annotation))
    for alternative in _alternatives(annotation):
        kind = get_origin(alternative) or alternative
        if isinstance(kind, type) and issubclass(kind, _SECRET):
            return True
        inner: Iterable[Any] = (*get_args(alternative), *_members(alternative).values())
        if any(_holds_secret(part, seen) for part in inner if part is not Ellipsis):
            return True
    return False


def _secret_texts(annotations: list[Any], data: object) -> Iterator[str]:
    if not any(_holds_secret(annotation, set()) for annotation in annotations):
        return
    if isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for part, item in items:
            yield from _secret_texts([found for one in annotations for found in _below(one, part)], item)
    elif data is not None and not isinstance(data, bool):
        yield str(data)
