"""What Shopify asks for in the name of its customers and shops: to show, or to erase, what is kept.

https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance

A webhook's topic is a header, and headers are not signed: whoever has caught one signed body can send it again under
another topic. So each body must have exactly the form that its topic promises, before anything is erased for it.
"""

from collections.abc import Mapping

from pydantic import Field

from shopbot.model.base import Value
from shopbot.model.payload import read_integer, read_text

DATA_REQUEST = "customers/data_request"
CUSTOMER_REDACT = "customers/redact"
SHOP_REDACT = "shop/redact"
APP_UNINSTALLED = "app/uninstalled"

COMPLIANCE_TOPICS = frozenset({DATA_REQUEST, CUSTOMER_REDACT, SHOP_REDACT})
"""Topics for which Shopify's review demands 401 on a bad signature."""

PRIVACY_TOPICS = COMPLIANCE_TOPICS | {APP_UNINSTALLED}
"""Topics that are always worked on, whatever shopbot.yaml says."""

_OF_THE_SHOP = {"shop_id", "shop_domain"}
_ONLY_IN = {DATA_REQUEST: ("orders_requested", "data_request"), CUSTOMER_REDACT: ("orders_to_redact",)}


class UnreadableRequestError(ValueError):
    """The body is not what its topic promises; the text says what is wrong, without repeating personal data."""


class CustomerRequest(Value):
    """A customer's wish, from `customers/data_request` or `customers/redact`."""

    customer_id: int | None = None
    email: str | None = Field(None, repr=False)
    phone: str | None = Field(None, repr=False)
    order_ids: tuple[int, ...] = ()
    """The orders that Shopify counts as the customer's."""
    request_id: int | None = None
    """Shopify's number of a data request."""

    @classmethod
    def from_payload(cls, topic: str, payload: object, shop: str) -> "CustomerRequest":
        """Read the body of a webhook for a shop.

        Raises:
            UnreadableRequestError: it is not what the topic promises, or is another shop's.
        """
        fields = _fields(topic, payload, shop)
        orders_key = _ONLY_IN[topic][0]
        foreign = [key for other, keys in _ONLY_IN.items() if other != topic for key in keys if key in fields]
        if orders_key not in fields or foreign:
            raise UnreadableRequestError(
                f"the body of {topic} must have '{orders_key}'" + (f" and no '{foreign[0]}'" if foreign else "")
            )
        customer, orders, request = (fields.get(key) for key in ("customer", orders_key, "data_request"))
        if not isinstance(customer, Mapping | None) or not isinstance(orders, list | None):
            raise UnreadableRequestError(f"'customer' must be an object and '{orders_key}' a list")
        customer = customer or {}
        order_ids = [read_integer(order) for order in orders or ()]
        if None in order_ids:
            raise UnreadableRequestError(f"'{orders_key}' must be a list of whole numbers")
        return cls(
            customer_id=read_integer(customer.get("id")),
            email=read_text(customer.get("email")),
            phone=read_text(customer.get("phone")),
            order_ids=tuple(order_id for order_id in order_ids if order_id is not None),
            request_id=read_integer(request.get("id")) if isinstance(request, Mapping) else None,
        )


def check_shop_redact(payload: object, shop: str) -> None:
    """See that a body asks to erase a whole shop, and nothing less.

    Raises:
        UnreadableRequestError: it does not; a body about a customer must not erase a shop.
    """
    strange = set(_fields(SHOP_REDACT, payload, shop)) - _OF_THE_SHOP
    if strange:
        raise UnreadableRequestError(
            f"the body of {SHOP_REDACT} has more than {' and '.join(sorted(_OF_THE_SHOP))}: '{min(strange)[:40]}'"
        )


def check_uninstalled(payload: object, shop: str) -> None:
    """See that a body is a shop, and this one where it says which.

    Raises:
        UnreadableRequestError: it is not.
    """
    domain = payload.get("myshopify_domain") if isinstance(payload, Mapping) else None
    if not isinstance(payload, Mapping) or read_integer(payload.get("id")) is None:
        raise UnreadableRequestError(f"the body of {APP_UNINSTALLED} is no shop")
    if domain is not None and (not isinstance(domain, str) or domain.lower() != shop):
        raise UnreadableRequestError(f"the body of {APP_UNINSTALLED} is another shop's")


def _fields(topic: str, payload: object, shop: str) -> Mapping[str, object]:
    domain = payload.get("shop_domain") if isinstance(payload, Mapping) else None
    if not isinstance(payload, Mapping) or not isinstance(domain, str):
        raise UnreadableRequestError(f"the body of {topic} must be an object with 'shop_domain'")
    if domain.lower() != shop:
        raise UnreadableRequestError(f"the body of {topic} is another shop's")
    return payload
