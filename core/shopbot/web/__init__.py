"""The HTTP side: webhooks, health, and what else the host answers."""
