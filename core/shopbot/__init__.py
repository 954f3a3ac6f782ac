"""shopbot confirms paid Shopify orders in Facebook Messenger, exactly once.

Plugins import `shopbot.plugin` and nothing else; `shopbot.testing` has what their tests need.
"""

__version__ = "0.1.0"
