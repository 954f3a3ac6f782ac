"""What plugins get when they start."""

import structlog
from redis.asyncio import Redis

from shopbot.hooks import PluginInstance
from shopbot.host.blueprint import Blueprint
from shopbot.model.shared_keys import SharedKeys
from shopbot.plugin import Context


def plugin_context(blueprint: Blueprint, client: Redis, instance: PluginInstance) -> Context:
    """Give an instance its context; makes the data directory where there is none."""
    blueprint.data_dir.mkdir(parents=True, exist_ok=True)
    return Context(
        shop=blueprint.shop,
        store=client,
        keys=SharedKeys(blueprint.settings.shop.key_prefix),
        ttl_seconds={name: value.total_seconds() for name, value in blueprint.settings.ttl if value is not None},
        data_dir=blueprint.data_dir,
        log=structlog.get_logger("shopbot.plugins").bind(plugin=instance.place),
    )
