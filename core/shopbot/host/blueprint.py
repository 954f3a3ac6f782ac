"""From shopbot.yaml to everything that a host is made of, with all problems at once. Serves `check` and every start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from shopbot.config.document import Document
from shopbot.config.fields import secret_texts
from shopbot.config.loader import read
from shopbot.config.message import UtilityTemplateSettings
from shopbot.config.plugin_entry import PLUGIN_LISTS
from shopbot.config.problem import ConfigError, Problem
from shopbot.config.settings import Settings
from shopbot.config.snapshot import Snapshot
from shopbot.config.store_address import EMBEDDED
from shopbot.config.surprises import surprises
from shopbot.discovery import PluginError, discover
from shopbot.hooks import Hooks, PluginInstance
from shopbot.host.examinations.examination import Case
from shopbot.host.meaning import misunderstandings
from shopbot.host.plugin_entries import PluginEntries
from shopbot.host.rule_entries import RuleEntries
from shopbot.messages.delivery import DeliveryCalendar
from shopbot.messages.message import MessageSpec, QuickReplySpec, TemplateSpec
from shopbot.messages.renderer import Renderer
from shopbot.messages.sandbox import TemplateSandbox
from shopbot.plugin import Shop
from shopbot.resources import bundled
from shopbot.rules.backoff import Backoff
from shopbot.rules.compliance import COMPLIANCE_RULES
from shopbot.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A configuration without problems, ready to become a host. Has done no I/O but reading files."""

    settings: Settings
    hooks: Hooks
    sandbox: TemplateSandbox
    rules: tuple[Rule, ...]
    """Those of shopbot.yaml, and those that are always there."""
    messages: Mapping[str, MessageSpec]
    shop: Shop
    calendar: DeliveryCalendar
    backoff: Backoff

    @property
    def data_dir(self) -> Path:
        """Where the host keeps its files."""
        return self.settings.data_dir


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a configuration gave."""

    blueprint: Blueprint | None
    """None when there is an error among the problems."""
    problems: tuple[Problem, ...]
    """Errors and warnings, in the order of the file."""
    variables: frozenset[str] = frozenset()
    """The names of the environment variables that the file uses and that are set."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """The values that the settings keep secret: no text for people may repeat them."""


def check_config(path: Path, environ: Mapping[str, str], *, snapshot: Snapshot | None = None) -> Checked:
    """Check a configuration file with everything it names: variables, plugins, their settings, templates.

    snapshot: a copy of it all to check in its place; None checks what lies there now.
    """
    loaded = read(path, environ, snapshot=snapshot)
    settings = loaded.draft  # the settings themselves, where they have no error
    plugins_dir = settings.plugins_dir if settings else path.parent / "plugins.d"
    catalogue = discover(plugins_dir, copied=snapshot.plugins if snapshot else None)
    entries = PluginEntries(loaded.document, loaded.plugin_entries(), catalogue)
    instances = entries.instances()
    found, blueprint = list(entries.problems), None
    if settings is not None:
        blueprint, more = _build(loaded.document, settings, instances, entries)
        found += more
    said = {*loaded.problems, *found}
    places = {(problem.line, problem.column) for problem in said}
    said |= {problem for problem in surprises(loaded.document) if (problem.line, problem.column) not in places}
    problems = tuple(sorted(said))
    usable = not any(problem.severity == "error" for problem in problems)
    return Checked(
        blueprint=blueprint if usable else None,
        problems=problems,
        variables=frozenset(name for names in loaded.document.origins.values() for name in names),
        secrets=frozenset({*secret_texts(Settings, loaded.document.data), *entries.secrets} - {EMBEDDED, ""}),
    )


def load_blueprint(path: Path, environ: Mapping[str, str], *, snapshot: Snapshot | None = None) -> Blueprint:
    """Check a configuration, or a copy of it, and give what it makes.

    Raises:
        ConfigError: it has problems; all of them are in the error.
    """
    checked = check_config(path, environ, snapshot=snapshot)
    if checked.blueprint is None:
        raise ConfigError(checked.problems)
    return checked.blueprint


def _build(
    document: Document,
    settings: Settings,
    instances: Sequence[PluginInstance],
    entries: PluginEntries,
) -> tuple[Blueprint, list[Problem]]:
    problems: list[Problem] = []
    hooks = Hooks(instances)
    # Rules and messages are checked with what there is: people want all problems at once.
    complete = entries.complete and _all_there(settings, instances)
    directories = [settings.templates_dir, bundled("templates")]
    try:
        sandbox = TemplateSandbox(directories, filters=hooks.filters())
    except (PluginError, ValueError) as error:
        problems.append(Problem(document.file, None, None, str(error)))
        sandbox, complete = TemplateSandbox(directories), False
    shop = Shop(
        domain=settings.shop.domain,
        name=settings.shop.name,
        locale=settings.shop.locale,
        timezone=ZoneInfo(settings.shop.timezone),
    )
    delivery = settings.shop.delivery
    calendar = DeliveryCalendar(delivery.business_days, shop.timezone, delivery.country, delivery.subdivision)
    messages = {name: _message(name, settings) for name in settings.messages}
    rules = RuleEntries(document, settings, sandbox, step_names=entries.step_names, complete=complete)
    compiled = rules.rules()
    problems += rules.problems
    problems += misunderstandings(
        Case(
            document=document,
            settings=settings,
            rules=compiled,
            messages=messages,
            hooks=hooks,
            sandbox=sandbox,
            renderer=Renderer(messages, sandbox, shop, calendar),
            shop=shop,
            complete=complete,
        )
    )
    if settings.checkouts and not settings.checkout_tokens.keys:
        message = "checkout links are signed: give `checkout_tokens: {keys: [{id: …, secret: …}]}`"
        problems.append(document.problem(document.position(("checkouts",)), message))
    blueprint = Blueprint(
        settings=settings,
        hooks=hooks,
        sandbox=sandbox,
        rules=(*compiled, *COMPLIANCE_RULES),
        messages=messages,
        shop=shop,
        calendar=calendar,
        backoff=Backoff(
            attempts=settings.retry.attempts,
            first_seconds=settings.retry.first.total_seconds(),
            factor=settings.retry.factor,
            max_seconds=settings.retry.max.total_seconds(),
        ),
    )
    return blueprint, problems


def _all_there(settings: Settings, instances: Sequence[PluginInstance]) -> bool:
    """Say whether the instances are those of the file: an entry that cannot be read has none, and has its problem."""
    entries = [(name, entry.use) for name in PLUGIN_LISTS for entry in getattr(settings, name)]
    return entries == [(instance.section, instance.name) for instance in instances]


def _message(name: str, settings: Settings) -> MessageSpec:
    message = settings.messages[name]
    template = message.utility_template
    return MessageSpec(
        name=name,
        purpose=message.tag,
        text=message.text,
        utility_template=TemplateSpec(
            name=template.name,
            bodies=template.bodies(settings.shop.locale),
            parameters=template.parameters,
        )
        if isinstance(template, UtilityTemplateSettings)
        else None,
        limit=(message.limit.count, message.limit.period) if message.limit else None,
        drop_over_limit=message.on_limit == "drop",
        quick_replies=()
        if message.quick_replies == "orders"
        else [QuickReplySpec(reply.titles, reply.payload) for reply in message.quick_replies],
        offers_orders=message.quick_replies == "orders",
    )
