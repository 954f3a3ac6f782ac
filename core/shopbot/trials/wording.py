"""The words that a shopper reads: a text as it is sent, or a utility template with its values."""

from collections.abc import Mapping

from shopbot.messages.message import MessageSpec
from shopbot.model.message import Delivery, OutboundMessage
from shopbot.model.template import TemplateDefinition


class Words:
    """Knows the words of a shop's utility templates, as far as they stand in its configuration."""

    def __init__(self, messages: Mapping[str, MessageSpec]) -> None:
        templates = [spec.utility_template for spec in messages.values() if spec.utility_template is not None]
        self._bodies = {
            (template.name, language): body for template in templates for language, body in template.bodies.items()
        }

    def of(self, message: OutboundMessage) -> str | None:
        """Give what the shopper reads; None where the words of a template stand at the platform alone."""
        if message.delivery is not Delivery.UTILITY:
            return message.text
        template = message.template
        body = self._bodies.get((template.name, template.language)) if template else None
        if template is None or body is None:
            return None
        return TemplateDefinition(name=template.name, language=template.language, body=body).filled(template.parameters)
