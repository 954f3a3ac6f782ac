"""The utility templates of shopbot.yaml whose words stand there, ready to be submitted for approval."""

from collections.abc import Iterator
from dataclasses import replace

from shopbot.host.blueprint import Blueprint
from shopbot.host.occasions import occasions_of
from shopbot.host.samples import sample_situations
from shopbot.messages.renderer import Renderer
from shopbot.model.template import TemplateDefinition, one_line


def template_definitions(blueprint: Blueprint) -> Iterator[tuple[str, TemplateDefinition]]:
    """Give each template in each of its languages, with the name of its message; the examples are of a made-up event.

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
            if body is None:
                continue
            filled = renderer.parameters(spec, replace(about, language=language))
            examples = tuple(one_line(value) for value in filled.parameters) if filled else ()
            yield name, TemplateDefinition(name=template.name, language=language, body=body, examples=examples)
