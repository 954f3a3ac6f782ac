"""Utility templates that Meta would refuse as they stand, or whose values do not fit their placeholders."""

from collections.abc import Iterator

from shopbot.host.examinations.examination import Case, Finding
from shopbot.model.template import TemplateDefinition


def examine(case: Case) -> Iterator[Finding]:
    """Hold the words of all templates against the platform's rules; those that Meta alone has are not known here."""
    for name, spec in case.messages.items():
        template = spec.utility_template
        for language, body in template.bodies.items() if template else ():
            if template is None or body is None:
                continue
            definition = TemplateDefinition(name=template.name, language=language, body=body)
            objection = definition.objection(len(template.parameters))
            if objection is not None:
                path = ("messages", name, "utility_template", "body", language)
                yield Finding(path, f"the template in '{language}': {objection}")
