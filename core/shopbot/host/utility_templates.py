"""The utility templates of shopbot.yaml: as they are submitted for approval, and how they stand with the platform."""

from collections.abc import Iterator
from dataclasses import replace

from shopbot.hooks import Hook, PluginFailedError
from shopbot.host.blueprint import Blueprint
from shopbot.host.occasions import occasions_of
from shopbot.host.samples import sample_situations
from shopbot.messages.renderer import Renderer
from shopbot.model.failures import ChannelDown, Refused, Retry
from shopbot.model.template import TemplateDefinition, TemplateState, TemplateStatus, one_line


def template_definitions(blueprint: Blueprint, *, wordless: bool = False) -> Iterator[tuple[str, TemplateDefinition]]:
    """Give each template in each of its languages, with the name of its message; the examples are of a made-up event.

    wordless: also give those whose words only the platform has; their `body` is empty.

    Raises:
        TemplateError: a parameter cannot be rendered.
    """
    renderer = Renderer(blueprint.messages, blueprint.sandbox, blueprint.shop, blueprint.calendar)
    for name, spec in blueprint.messages.items():
        template = spec.utility_template
        if template is None:
            continue
        rule = next((occasion.rule for occasion in occasions_of(blueprint.rules, name)), None)
        about = sample_situations(blueprint.shop, rule, ("one",))[0]
        for language, body in template.bodies.items():
            if body is None and not wordless:
                continue
            filled = renderer.parameters(spec, replace(about, language=language))
            examples = tuple(one_line(value) for value in filled.parameters) if filled else ()
            yield name, TemplateDefinition(name=template.name, language=language, body=body or "", examples=examples)


async def template_state(
    manager: Hook[[TemplateDefinition, bool], TemplateState | None], template: TemplateDefinition, *, submit: bool
) -> TemplateState | None:
    """Ask a sender how a template stands; UNKNOWN, with the reason, where it cannot say."""
    try:
        return await manager(template, submit)
    except (Retry, Refused, ChannelDown) as failure:
        return TemplateState(status=TemplateStatus.UNKNOWN, reason=failure.reason)
    except PluginFailedError as failure:
        return TemplateState(status=TemplateStatus.UNKNOWN, reason=failure.what)
