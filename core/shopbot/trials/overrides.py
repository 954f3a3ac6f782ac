"""`set:` in a test: what is different in a webhook's body, held against what such a body looks like."""

import copy
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict, create_model

from shopbot.config.document import Document
from shopbot.config.expected import expected
from shopbot.config.nodes import KeyPath
from shopbot.config.problem import Problem
from shopbot.config.section import Section, Text
from shopbot.config.validation import validate
from shopbot.testing.order_lines import Line
from shopbot.trials.values import WholeNumber, YesNo

Json = Any
"""What JSON can say; YAML and JSON are where types end."""


def _written_time(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise expected("a time with its UTC offset, such as 2026-02-05T10:30:00+01:00", text=False)
    return value


def _decimal(value: object) -> object:
    # As it reads: 19.9 and not the binary fraction beside it.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


WrittenTime = Annotated[str, AfterValidator(_written_time)]


class LineGiven(Section):
    """One line of an order. The sums of the order are made of its lines."""

    title: Text = Field(description="What was bought.")
    price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2), BeforeValidator(_decimal)] = Field(
        description="Of one piece, tax included."
    )
    quantity: Annotated[WholeNumber, Field(ge=1)] = Field(1, description="How many pieces.")
    variant_title: Text | None = Field(None, description="Which kind of it.")
    variant_id: WholeNumber | None = Field(None, description="Shopify's number of the variant.")
    product_id: WholeNumber | None = Field(None, description="Shopify's number of the article.")
    sku: Text | None = Field(None, description="The shop's own number of it.")

    def line(self) -> Line:
        """Give the line to build an order of."""
        return Line(**{name: getattr(self, name) for name in self.model_fields_set})


class Overrides:
    """Checks what is different against a complete body of its kind: unknown keys, wrong types."""

    def __init__(self, document: Document) -> None:
        """Look for places in this document."""
        self._document = document
        self._models: dict[str, type[Section]] = {}
        self.problems: list[Problem] = []

    def checked(
        self,
        path: KeyPath,
        data: Mapping[str, Json],
        complete: Mapping[str, Json],
        *,
        kind: str = "",
        built: bool = False,
    ) -> dict[str, Json] | None:
        """Give the changes as JSON has them; None where they have problems.

        complete: a body of the kind with everything that it may have.
        kind: its name, where all bodies of this name look alike; empty for one that looks like no other.
        built: the body will be an order that is built: `line_items` are then in the short form, and given as `Line`.
        """
        if not data:
            return {}
        model = self._models.get(kind) or _model(complete, _short_forms(complete, built=built))
        if kind:
            self._models[kind] = model
        found, problems = validate(model, self._document, path, as_written(self._document, path, data))
        self.problems += problems
        if found is None:
            return None
        changes: dict[str, Json] = found.model_dump(exclude_unset=True, by_alias=True)
        if built and changes.get(_LINES) is not None:
            changes[_LINES] = [LineGiven.model_validate(line).line() for line in changes[_LINES]]
        return changes


_ATTRIBUTES = "note_attributes"
_LINES = "line_items"


def as_written(document: Document, path: KeyPath, value: Json) -> Json:
    """Give data from YAML as JSON has it: times, which JSON does not know, as the texts that stand in the file."""
    if isinstance(value, dict):
        return {key: as_written(document, (*path, key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(document, (*path, index), item) for index, item in enumerate(value)]
    if isinstance(value, date):
        scalar = document.scalar(path)
        return value.isoformat() if scalar is None else scalar.source
    return value


def joined(body: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """Give a body with changes: mappings are joined, everything else takes the place of what was there."""
    result = copy.deepcopy(dict(body))
    for key, value in changes.items():
        before = result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            result[key] = joined(before, value)
        else:
            result[key] = value
    return result


def with_attributes(before: object, changes: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Give note attributes with changes by name; None leaves one out."""
    entries = before if isinstance(before, list) else []
    known = {entry["name"]: entry["value"] for entry in entries if isinstance(entry, Mapping) and "name" in entry}
    return [{"name": name, "value": value} for name, value in {**known, **changes}.items() if value is not None]


def _short_forms(complete: Mapping[str, Json], *, built: bool) -> Mapping[str, Any]:
    """Give the types of what people need not write as Shopify does."""
    forms = {_ATTRIBUTES: dict[str, str | None] | list[dict[str, Json]] | None, _LINES: list[LineGiven] | None}
    return {key: form for key, form in forms.items() if key in complete and (built or key == _ATTRIBUTES)}


def _model(example: Mapping[str, Json], forms: Mapping[str, Any]) -> type[Section]:
    """Make the model that tells what may be changed in bodies like the example.

    forms: types of keys that are not what the example has.
    """
    fields: dict[str, Any] = {
        # Not by their own names: a body may have keys that no attribute can be called.
        f"field_{number}": (forms.get(key) or _kind(key, value), Field(None, alias=key))
        for number, (key, value) in enumerate(example.items())
    }
    return create_model("Body", __base__=Section, **fields)


def _kind(key: str, value: Json) -> Any:  # noqa: ANN401 - a type
    """Say what may stand where the example has a value; nothing may stand everywhere."""
    match value:
        case bool():
            return YesNo | None
        case int():
            return WholeNumber | None
        case float():
            return Annotated[float, Strict()] | None
        case str() if key.endswith("_at"):
            return WrittenTime | None
        case str():
            return str | None
        case Mapping() if value:
            return _model(value, {}) | None
        case Mapping():
            return dict[str, Json] | None
        case list():
            return list[Json] | None
    return Json
