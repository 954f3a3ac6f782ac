"""Languages that one message has and another one lacks."""

from collections.abc import Iterable, Iterator, Mapping

from shopbot.config.nodes import KeyPath
from shopbot.host.examinations.examination import Case, Finding, listed
from shopbot.host.occasions import occasions_of
from shopbot.messages.locales import DEFAULT_LOCALE, locale_chain
from shopbot.messages.message import MessageSpec
from shopbot.messages.sandbox import TemplateError

_Languages = Mapping[str, str]
"""By bare languages (`pt`), the tags that stand for them (`pt-BR`): who reads one of them reads the other."""


def examine(case: Case) -> Iterator[Finding]:
    """Compare each message's languages with the shop's, which are its own and all that its merchant has written in.

    A message that is in one language only is meant to be: it lacks none.
    """
    own = _by_bare([case.shop.locale])
    spoken = {**own}
    for spec in case.messages.values():
        spoken = {**_by_bare(_written_for(case, spec)), **spoken}
    for name, spec in case.messages.items():
        asked = _by_bare(_asked_in(case, name))
        texts = _languages_of_text(case, spec)
        if len(texts) > 1:
            yield from _untranslated(spec, texts, {**asked, **spoken})
        yield from _titles(spec, texts, {**asked, **spoken})
        bodies = _by_bare(spec.utility_template.bodies if spec.utility_template else ())
        if len(bodies) > 1:
            yield from _without_template(spec, bodies, spoken)


def _untranslated(spec: MessageSpec, texts: _Languages, wanted: _Languages) -> Iterator[Finding]:
    missing = [tag for bare, tag in wanted.items() if bare not in texts]
    if missing:
        stem, _, suffixes = spec.text.partition(".")
        files = listed(f"{stem}.{tag}.{suffixes}" for tag in missing)
        has = f"{spec.text} has words in {_quoted(texts.values())}, and none in {_quoted(missing)}"
        yield Finding(("messages", spec.name, "text"), f"{has}, which this shop speaks: add {files}", "warning")


def _titles(spec: MessageSpec, texts: _Languages, wanted: _Languages) -> Iterator[Finding]:
    """Hold the languages of quick replies against those of the text, whose language decides which title is used."""
    for index, reply in enumerate(spec.quick_replies):
        path = ("messages", spec.name, "quick_replies", index, "title")
        titles = _by_bare(reply.titles)
        if not titles:
            yield from _same_for_all(path, reply.titles[""], texts, wanted)
            continue
        missing = [tag for bare, tag in texts.items() if bare in wanted and bare not in titles]
        if missing:
            has = f"the title has words in {_quoted(titles.values())}, and none in {_quoted(missing)}"
            keys = listed(f"`{tag.replace('-', '_')}:`" for tag in missing)
            why = "in which this shop's customers read the text above it"
            yield Finding(path, f"{has}, {why}: add {keys}", "warning", at_key=True)
        unread = [tag for bare, tag in titles.items() if texts and bare not in texts]
        if unread:
            why = f"the text is in {_quoted(texts.values())} only, and the title follows the text"
            yield Finding(path, f"nobody reads the title in {_quoted(unread)}: {why}", "warning", at_key=True)


def _same_for_all(path: KeyPath, title: str, texts: _Languages, wanted: _Languages) -> Iterator[Finding]:
    """Find words that stand below a text in other languages; a template may choose its words by itself."""
    read = [tag for bare, tag in texts.items() if bare in wanted]
    if len(read) > 1 and "{" not in title:
        keys = ", ".join(f"{tag.replace('-', '_')}: …" for tag in sorted(read))
        why = f"this shop's customers read the text above it in {_quoted(read)}"
        yield Finding(path, f"the title is the same in all languages, and {why}: write `title: {{{keys}}}`", "warning")


def _without_template(spec: MessageSpec, bodies: _Languages, wanted: _Languages) -> Iterator[Finding]:
    missing = [tag for bare, tag in wanted.items() if bare not in bodies]
    if missing and spec.utility_template is not None:
        first = next(iter(bodies.values()))
        has = f"the template '{spec.utility_template.name}' has words in {_quoted(bodies.values())}"
        why = f"and none in {_quoted(missing)}, which this shop speaks: such shoppers get it in '{first}'"
        path = ("messages", spec.name, "utility_template", "body")
        keys = listed(f"`{tag.replace('-', '_')}:`" for tag in missing)
        yield Finding(path, f"{has}, {why}; add {keys}", "warning", at_key=True)


def _languages_of_text(case: Case, spec: MessageSpec) -> _Languages:
    """Give the languages that shoppers can read the text in; that of a file without a language comes first."""
    if not spec.is_file:
        return _by_bare([case.shop.locale])
    try:
        translations = case.renderer.languages(spec)
    except TemplateError:
        return {}  # there is no such file, which is said already
    if (case.settings.templates_dir / spec.text).is_file():
        return _by_bare([case.shop.locale, *translations])
    default = case.sandbox.translations(spec.text)
    return _by_bare([*([DEFAULT_LOCALE] if spec.text in default else ()), *translations])


def _written_for(case: Case, spec: MessageSpec) -> Iterator[str]:
    """Give the languages that the merchant wrote a message in; what comes with shopbot speaks more than the shop."""
    if spec.utility_template is not None:
        yield from spec.utility_template.bodies
    for language in _languages_of_text(case, spec).values():
        stem, _, suffixes = spec.text.partition(".")
        if spec.is_file and (case.settings.templates_dir / f"{stem}.{language}.{suffixes}").is_file():
            yield language


def _asked_in(case: Case, name: str) -> Iterator[str]:
    """Give the languages in which shoppers ask for a message: those of the phrases of its rules."""
    senders = {rule.name for rule, *_ in occasions_of(case.rules, name) if rule is not None}
    for _, settings, *_ in case.each_rule():
        if settings.name in senders and isinstance(settings.when.text_matches, dict):
            yield from settings.when.text_matches


def _quoted(tags: Iterable[str]) -> str:
    return listed(f"'{tag}'" for tag in tags)


def _by_bare(tags: Iterable[str]) -> _Languages:
    """Give the first tag of each language; what is no language tag is none."""
    found: dict[str, str] = {}
    for tag in tags:
        chain = locale_chain(tag.replace("_", "-"), None)
        if chain:
            found.setdefault(chain[-1], chain[0])
    return found
