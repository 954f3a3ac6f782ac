"""Write the parts of the manual that are made from the code: `python docs/generate.py`."""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from typer.main import get_command

from shopbot.cli import build
from shopbot.cli.plugin_settings import Setting, settings_of
from shopbot.config.settings import Settings
from shopbot.discovery import KINDS, Found, PluginType, discover, implements
from shopbot.hook_call import CONTRACTS
from shopbot.hookspecs import HookSpecs
from shopbot.host.examinations.promotion import WORDS
from shopbot.host.preview import SAMPLE_PSID
from shopbot.host.samples import sample_references
from shopbot.model.order_reference import OrderStatus
from shopbot.model.reason import Reason
from shopbot.model.shopper_cart import Cart, CartItem
from shopbot.plugin import Shop
from shopbot.privacy.inventory import KINDS as KEY_KINDS
from shopbot.privacy.inventory import KeyKind
from shopbot.scaffold.manual import fenced
from shopbot.store.references import confirmation_mark
from shopbot.testing.samples import SAMPLES
from shopbot.trials.overrides import LineGiven
from shopbot.trials.settings import (
    CartGiven,
    EarlierHappening,
    Expected,
    Given,
    Happening,
    MessageExpected,
    TemplateExpected,
    Trial,
    TrialFile,
)

DOCS = Path(__file__).parent
COMMAND = "python docs/generate.py"
_BEGIN, _END = f"<!-- made by `{COMMAND}` from here -->", "<!-- to here -->"
_WIDTH = 80


def documents() -> Mapping[Path, str]:
    """Give every document with a generated part, as it must be."""
    parts: Mapping[str, Callable[[], str]] = {
        "hooks.md": _hooks,
        "plugins.md": _plugins,
        "configuration.md": _keys,
        "testing.md": _trials,
        "command-line.md": _verbs,
        "reliability.md": _reasons,
        "privacy.md": _inventory,
        "reference/shared-keys.md": _shared_keys,
    }
    return {DOCS / name: _fill((DOCS / name).read_text(encoding="utf-8"), part()) for name, part in parts.items()}


def main() -> None:
    """Write what has changed, and say so."""
    for path, text in documents().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


def _fill(text: str, part: str) -> str:
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}\n\n{part.strip()}\n\n{_END}{after}"


def bundled() -> Sequence[PluginType]:
    """Load the plugins that come with shopbot, by name."""
    found = [plugin for plugin in discover().values() if isinstance(plugin, Found) and plugin.origin == "shopbot"]
    return [plugin.load() for plugin in found]


# --- hooks.md --------------------------------------------------------------------------------------------------------


def _hooks() -> str:
    return "\n\n".join(_hook(name, function) for name, function in vars(HookSpecs).items() if not name.startswith("_"))


def _hook(name: str, function: Callable[..., object]) -> str:
    arguments = list(inspect.signature(function).parameters)[1:]
    section = CONTRACTS[name].section
    users = ", ".join(f"`{plugin.name}`" for plugin in bundled() if implements(plugin.plugin, name))
    place = f"For plugins under `{section}:`" if section else "For plugins in any list"
    code = f"```python\n{_signature(function)}\n```"
    manual = _paragraphs(inspect.getdoc(function) or "", arguments)
    facts = textwrap.fill(f"{place}; see {users}.", 120, break_long_words=False, break_on_hyphens=False)
    return f"## {name}({', '.join(arguments)})\n\n{code}\n\n{manual}\n\n{facts}"


def _signature(function: Callable[..., object]) -> str:
    source = textwrap.dedent(inspect.getsource(function)).partition('"""')[0]
    line = " ".join(line.partition("  #")[0].strip() for line in source.splitlines() if not line.startswith("@"))
    return f"@hookimpl\n{line.strip()} ..."


def _paragraphs(docstring: str, arguments: Sequence[str]) -> str:
    """Turn a docstring into Markdown: what it says of an argument becomes an entry of a list."""
    found: list[str] = []
    for paragraph in docstring.split("\n\n"):
        for line in re.split(r"\n(?=\S)", paragraph) if _is_about(paragraph, arguments) else [paragraph]:
            text = " ".join(part.strip() for part in line.splitlines())
            found.append(f"- `{text.replace(':', '`:', 1)}" if _is_about(line, arguments) else text)
    return "\n\n".join(textwrap.fill(text, 120, subsequent_indent="  " * text.startswith("- ")) for text in found)


def _is_about(text: str, arguments: Sequence[str]) -> bool:
    return text.startswith(tuple(f"{argument}: " for argument in arguments))


# --- plugins.md ------------------------------------------------------------------------------------------------------


def _plugins() -> str:
    return "\n\n".join(_plugin(plugin) for plugin in sorted(bundled(), key=_rank))


def _rank(plugin: PluginType) -> tuple[int, str]:
    return list(KINDS.values()).index(plugin.kinds[0]), plugin.name


def _plugin(plugin: PluginType) -> str:
    settings = settings_of(plugin.config)
    table = _table(settings) if settings else "It has no settings."
    return f"## {plugin.name}\n\n*{', '.join(plugin.kinds)}*\n\n{fenced(plugin.manual)}\n\n{table}"


# --- configuration.md ------------------------------------------------------------------------------------------------


def _keys() -> str:
    return "\n\n".join([*_parts(Settings, ""), _promotional_words()])


def _promotional_words() -> str:
    rows = [f"| {language or 'all'} | {', '.join(words)} |" for language, words in WORDS.items()]
    note = "Whole words, whatever the case of letters, in the language of the template that they stand in."
    table = "\n".join(["| language | words |", "|---|---|", *rows])
    return f"## Words that sound like advertising\n\n{note}\n\n{table}"


def _parts(model: type[BaseModel], heading: str) -> Iterator[str]:
    below = _below(model, heading.partition(",")[0])
    note = (inspect.getdoc(model) or "").partition("\n\n")[0]
    yield f"### {heading or 'the file'}\n\n{note}\n\n{_table(settings_of(model), below)}"
    for part_heading, part in dict(below.values()).items():
        yield from _parts(part, part_heading)


def _below(model: type[BaseModel], place: str) -> Mapping[str, tuple[str, type[BaseModel]]]:
    """Give the keys of a model that hold a part of their own, each with the part's heading."""
    parts = {
        field.alias or name: (f"{place}.{field.alias or name}{_suffix(field.annotation)}".lstrip("."), part)
        for name, field in model.model_fields.items()
        if (part := _part(field.annotation)) is not None
    }
    # Lists whose entries are alike have one heading.
    return {
        key: (", ".join(heading for heading, other in parts.values() if other is part), part)
        for key, (_, part) in parts.items()
    }


def _part(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - annotations have no common type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # A limit such as 3/day is a model inside and a text in YAML.
        return annotation if annotation.__name__ != "Limit" else None
    return next((part for argument in get_args(annotation) if (part := _part(argument)) is not None), None)


def _suffix(annotation: Any) -> str:  # noqa: ANN401 - likewise
    text = str(annotation)
    return "[]" if text.startswith("tuple[") else ".NAME" if text.startswith("dict[") else ""


def _table(settings: Sequence[Setting], below: Mapping[str, tuple[str, object]] | None = None) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for setting in settings:
        kind, default = setting.type, f"`{setting.default_text}`"
        if setting.required or setting.default_text == "none":
            default = setting.default_text
        if below and setting.name in below:
            heading = below[setting.name][0]
            kind = f"[{heading.partition(',')[0]}](#{_anchor(heading)})"
            default = "required" if setting.required else "empty" if heading.endswith(("[]", ".NAME")) else "see there"
        cells = (f"`{setting.name}`", kind, default, setting.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", heading.lower().replace(" ", "-"))


# --- testing.md ------------------------------------------------------------------------------------------------------


_TRIAL_PARTS: Mapping[str, type[BaseModel]] = {
    "the file": TrialFile,
    "given": Given,
    "given.cart": CartGiven,
    "tests[]": Trial,
    "tests[].event": Happening,
    "tests[].earlier[]": EarlierHappening,
    "tests[].event.set.line_items[]": LineGiven,
    "tests[].expect": Expected,
    "tests[].expect.message, tests[].expect.messages[]": MessageExpected,
    "tests[].expect.message.template": TemplateExpected,
}


def _trials() -> str:
    rows = [f"| `{sample.name}` | `{sample.topic}` | {sample.summary} |" for sample in SAMPLES.values()]
    samples = "\n".join(["## Samples", "", "| sample | topic | what it is |", "|---|---|---|", *rows])
    return "\n\n".join([samples, "## All keys", *(_trial_part(heading) for heading in _TRIAL_PARTS)])


def _trial_part(heading: str) -> str:
    model = _TRIAL_PARTS[heading]
    settings = settings_of(model)
    if model is EarlierHappening:
        settings = [setting for setting in settings if setting.name not in Happening.model_fields]
    headings = {part: name for name, part in _TRIAL_PARTS.items()}
    below = {
        name: (headings[part], part)
        for name, field in model.model_fields.items()
        if (part := _part(field.annotation)) in headings and part is not None
    }
    note = (inspect.getdoc(model) or "").partition("\n\n")[0]
    more = "\n\nBeside this: the keys of `tests[].event`." if model is EarlierHappening else ""
    return f"### {heading}\n\n{note}{more}\n\n{_table(settings, below)}"


# --- command-line.md -------------------------------------------------------------------------------------------------


def _verbs() -> str:
    helps = [f"## {name}\n\n```text\n{text}\n```" for name, text in help_texts().items()]
    return "\n\n".join(helps)


def help_texts() -> Mapping[str, str]:
    """Give what `--help` prints for every verb, at 80 columns."""
    texts: dict[str, str] = {}

    def visit(command: Any, name: str) -> None:  # noqa: ANN401 - click's own types are not exported by typer
        context = command.make_context(name, ["--help"], resilient_parsing=True, terminal_width=_WIDTH)
        texts[name] = command.get_help(context).strip()
        for word, child in getattr(command, "commands", {}).items():
            visit(child, f"{name} {word}")

    visit(get_command(build()), "shopbot")
    return texts


# --- reliability.md --------------------------------------------------------------------------------------------------


def _reasons() -> str:
    meanings = re.findall(r'(?m)^    ([A-Z_]+) = "\1"\n    """((?:.|\n)*?)"""', inspect.getsource(Reason))
    rows = [f"| `{code}` | {' '.join(meaning.split())} |" for code, meaning in meanings]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


# --- privacy.md ------------------------------------------------------------------------------------------------------


def _inventory() -> str:
    about = {True: "Keys that hold something about a person", False: "All others"}
    return "\n\n".join(f"### {title}\n\n{_kinds(personal)}" for personal, title in about.items())


def _kinds(personal: bool) -> str:  # noqa: FBT001 - read by the one function above
    rows = [
        f"| `{kind.form}`{' (shared)' * kind.shared} | {kind.holds} | {kind.why} | {kind.kept} |"
        for kind in KEY_KINDS
        if kind.personal is personal
    ]
    return "\n".join(["| key | what it holds | why | how long |", "|---|---|---|---|", *rows])


# --- reference/shared-keys.md ----------------------------------------------------------------------------------------


def _shared_keys() -> str:
    values = _shared_values()
    parts = (_shared_key(kind, values[kind.form]) for kind in KEY_KINDS if kind.shared)
    return "\n\n".join(parts)


def _shared_key(kind: KeyKind, value: str) -> str:
    language = "json" if value.startswith("{") else "text"
    shown = json.dumps(json.loads(value), indent=2, ensure_ascii=False) if language == "json" else value
    return f"## {kind.form}\n\n{kind.holds} {kind.why} Kept for {kind.kept}.\n\n```{language}\n{shown}\n```"


def _shared_values() -> Mapping[str, str]:
    """Give an example of each shared key's value, written by the code that writes it."""
    shop = Shop(domain="acme.myshopify.com", name="Acme", locale="en", timezone=ZoneInfo("Europe/Berlin"))
    known = next(reference for reference in sample_references(shop) if reference.status == OrderStatus.IN_TRANSIT)
    confirmed_at = datetime(2026, 2, 5, 9, 30, 7, tzinfo=UTC)
    reference = known.model_copy(update={"psid": SAMPLE_PSID, "confirmed_at": confirmed_at})
    cart = Cart(items=(CartItem(variant_id=51204337615187, quantity=2, title="Mug"),), updated_at=known.created_at)
    token = "c1-0123456789abcdef0123456789abcdef"  # noqa: S105 - made up
    return {
        "cart:{psid}": cart.to_json().decode(),
        "checkout_token:{psid}": token,
        "checkout_token_lookup:{token}": SAMPLE_PSID,
        "storefront_cart:{psid}": f"gid://shopify/Cart/{token}?key=fedcba9876543210",
        "order_reference:{psid}:{order_id}": reference.as_json(),
        "order_confirmation:{psid}:{order_id}": confirmation_mark(reference.order_id, "m_AbCdEf", confirmed_at),
    }


if __name__ == "__main__":
    main()
