"""Every kind of key that shopbot writes: what it holds, why, for how long, and whose it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopbot.model.shared_keys import SharedKeys
from shopbot.store.keys import Keys

_PARTS = {
    "psid": r"[^:]+",
    "order_id": r"[0-9]+",
    "rule": r"[^:]+",
    "purpose": r"[^:]+",
}
"""What a part of a key's name looks like; all others may be anything."""


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One kind of key."""

    form: str
    """Its name behind the prefix, with its parts in braces."""
    holds: str
    why: str
    kept: str
    """How long, by the setting where there is one."""
    shared: bool = False
    """Whether other parts of a bot use it, too: then its prefix is `shop.key_prefix`."""
    personal: bool = True
    """Whether it holds, or is named by, anything about a person."""

    @property
    def name(self) -> str:
        """Give what all keys of the kind begin with, or the whole name of the only one."""
        return self.form.partition(":")[0]


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key of the shop, taken apart."""

    key: str
    kind: KeyKind | None
    """None where this release has never heard of it."""
    parts: Mapping[str, str]

    @property
    def name(self) -> str:
        """Give the kind's name; empty for an unknown one."""
        return self.kind.name if self.kind else ""


_ORDER, _JOURNAL = "`ttl.order_reference` after the last news", "`ttl.journal` after the event has ended"
_MOMENT = "seconds"

KINDS: Sequence[KeyKind] = (
    KeyKind(
        "cart:{psid}",
        "Articles and numbers, and whatever else the bot puts there.",
        "The bot fills it; it is emptied when its order is paid.",
        "`ttl.cart` after its last change",
        shared=True,
    ),
    KeyKind(
        "checkout_token:{psid}",
        "The token of the shopper's latest checkout.",
        "Plain PSIDs are trusted of shoppers that the shop knows.",
        "`ttl.checkout_token`",
        shared=True,
    ),
    KeyKind(
        "checkout_token_lookup:{token}",
        "The PSID.",
        "Leads from an order's checkout or cart token to its shopper.",
        "`ttl.checkout_token_lookup`",
        shared=True,
    ),
    KeyKind(
        "storefront_cart:{psid}",
        "The Storefront API's id of the cart behind the latest link, a secret.",
        "So that `shopify_cart` can empty it.",
        "`ttl.cart`",
        shared=True,
    ),
    KeyKind(
        "order_reference:{psid}:{order_id}",
        "Number, times, statuses, language, parcels with tracking, refunds; `unresolved` in place of an unknown PSID.",
        'Answers "Where\'s my order?".',
        f"{_ORDER}; two days for news of an order that nobody has resolved",
        shared=True,
    ),
    KeyKind(
        "order_confirmation:{psid}:{order_id}",
        "The message's id and when it was sent.",
        "Tells other parts of the bot that the order was confirmed.",
        "`ttl.order_reference`",
        shared=True,
    ),
    KeyKind(
        "inbox",
        "Events that wait for a worker, the body of each as the platform sent it.",
        "A 200 means kept.",
        f"until the event's first attempt ends, {_MOMENT} as a rule",
    ),
    KeyKind(
        "event:{event_id}",
        "Topic, times, result; the body, as the platform sent it, until the event has ended. An order's has name, "
        "addresses and e-mail.",
        "Attempts go on after a failure; a dead letter can be looked at and replayed.",
        f"the body until the event has ended, or `ttl.dead_letter` for a dead letter; the rest {_JOURNAL}",
    ),
    KeyKind(
        "journal:{event_id}",
        "What each step did: the last four digits of PSIDs, ids of messages, what plugins said.",
        "Answers what happened to an order, and why.",
        _JOURNAL,
    ),
    KeyKind(
        "webhook_id:{event_id}",
        "That an arrival was taken in. A poll's is named by the order, Messenger's by the message.",
        "The same arrival is not worked on twice.",
        "`ttl.webhook_id`",
    ),
    KeyKind("order:{order_id}", "The ids of an order's events.", "Finds what happened to an order.", _JOURNAL),
    KeyKind(
        "events_of:{psid}",
        "The ids of the events that are about the shopper.",
        "Finds what happened, to show or erase it.",
        _JOURNAL,
    ),
    KeyKind(
        "claim:{rule}:{subject}",
        "Who sends a message, when it was sent, its id; until that is settled, the `limit:` that it counts against, by "
        "name. The subject is an order, parcel, refund or event.",
        "Nobody reads a confirmation twice.",
        "`ttl.order_reference`; `ttl.journal` with `once_per: event`; a year at least once in doubt",
    ),
    KeyKind("shopper:{order_id}", "The PSID.", "News of an order finds its shopper.", _ORDER),
    KeyKind("orders_of:{psid}", "The ids of the shopper's newest orders.", 'Answers "Where\'s my order?".', _ORDER),
    KeyKind(
        "conversation:{psid}",
        "When the shopper last wrote or tapped.",
        "Messenger's rules: its messaging window.",
        "`ttl.conversation`",
    ),
    KeyKind(
        "receipts:{psid}",
        "Up to when the Page's messages have reached the shopper, and were read.",
        "Answers whether a message arrived.",
        "30 days",
    ),
    KeyKind(
        "opted_out:{pseudonym}",
        "That the shopper wants no messages (or wants them again) and since when, under a pseudonym of the PSID.",
        "A stop word is honoured, also after everything else about the shopper was erased.",
        "for good; a start word 7 days",
        personal=False,
    ),
    KeyKind(
        "line:{psid}",
        "The ids of events that have a message for the shopper.",
        "Messages keep their order.",
        "`ttl.journal`",
    ),
    KeyKind(
        "limit:{purpose}:{psid}",
        "When messages went out that count against `limit:`.",
        "Limits per shopper.",
        "the limit's own period",
    ),
    KeyKind(
        "unsent:{psid}",
        "The ids of dead letters that found the messaging window closed.",
        "They go out when the shopper writes again.",
        "`window.release`",
    ),
    KeyKind(
        "checkout:{nonce}",
        "The articles and tokens of a checkout link, and the order that it has served.",
        "A link serves one order, so that nobody can use somebody else's.",
        "`checkout_tokens.valid_for`, or `ttl.order_reference` once it has served",
    ),
    KeyKind(
        "checkout_of:{token}",
        "Which checkout link a cart or checkout token belongs to.",
        "Finds an order's link, to see whether it has served another order.",
        "`checkout_tokens.valid_for`",
    ),
    KeyKind(
        "erased:{pseudonym}",
        "That an order or a shopper was erased, and when, under a pseudonym.",
        "Late news of them is not kept again, and confirms nothing twice.",
        "`ttl.order_reference` for an order, `ttl.journal` for a shopper",
        personal=False,
    ),
    KeyKind(
        "privacy_search:{task_id}",
        "How far a search for somebody's data has got, and what it has found so far.",
        "It goes on after a restart.",
        "until it has ended, and a day where it does not go on",
    ),
    *(
        KeyKind(form, holds, why, kept, personal=False)
        for form, holds, why, kept in (
            ("retries", "The ids of events that wait for their next attempt.", "Retries.", "until then"),
            ("held", "The ids of events whose message is in doubt.", "Sends in doubt.", "until that is settled"),
            ("parked", "The ids of events that wait for a channel.", "Outages.", "until it is open"),
            ("dead", "The ids of dead letters.", "A person decides.", "`ttl.dead_letter`, or until then"),
            ("echoes", "When echoes of messages arrived.", "Sends in doubt.", "for good"),
            ("unechoed", "Random tokens of the latest messages without an echo.", "Sends in doubt.", "the last 5000"),
            ("channel:{channel}", "Rate, pauses and outages of a channel.", "Outages.", "for good"),
            ("poller:{poller}", "A poller's window, counts and last error.", "Lost webhooks.", "for good"),
            ("consumer:{process}", "That a process lives.", "Others take over from it.", "`worker.lease`"),
            ("pseudonym_secret", "What pseudonyms are made with.", "They name nobody.", "for good"),
            ("log_rewrite", "That the store's log is to be rewritten.", "What is erased leaves the disk.", "minutes"),
            ("privacy_lease", "That a search is running.", "One runs at a time.", _MOMENT),
            ("erased_shop", "When the shop was erased.", "Late news is not kept.", "`ttl.order_reference`"),
            ("uninstalled", "When the app was uninstalled.", "A warning in /readyz.", "`ttl.journal`"),
            ("fsync_probe", "Nothing.", "Tries whether the server reports its fsyncs.", "a minute"),
        )
    ),
)


class Inventory:
    """Takes apart the names of one shop's keys."""

    def __init__(self, keys: Keys, shared: SharedKeys) -> None:
        self._own = keys.prefix
        self._shared = shared.prefix
        self._kinds = {
            is_shared: {kind.name: (kind, _pattern(kind)) for kind in KINDS if kind.shared is is_shared}
            for is_shared in (True, False)
        }

    def find(self, key: str) -> FoundKey | None:
        """Say what a key is; None for one that is not this shop's."""
        if key.startswith(self._own):
            return self._find(key, key[len(self._own) :], shared=False) or FoundKey(key, None, {})
        if key.startswith(self._shared):
            return self._find(key, key[len(self._shared) :], shared=True)
        return None

    def _find(self, key: str, rest: str, *, shared: bool) -> FoundKey | None:
        kind, pattern = self._kinds[shared].get(rest.partition(":")[0], (None, None))
        parts = pattern.fullmatch(rest) if pattern else None
        return FoundKey(key, kind, parts.groupdict()) if parts else None


def _pattern(kind: KeyKind) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", kind.form)
    literals, names = pieces[::2], pieces[1::2]
    groups = [f"(?P<{name}>{_PARTS.get(name, '.+')})" for name in names]
    return re.compile(
        "".join(re.escape(text) + group for text, group in zip(literals, [*groups, ""], strict=True)), re.DOTALL
    )
