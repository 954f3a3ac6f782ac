"""The names of the keys that only shopbot uses. One hash slot per shop, so that scripts work on a cluster."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds the names of one shop's internal keys: `shopbot:{<shop domain>}:…`, the braces included."""

    shop: str

    @property
    def prefix(self) -> str:
        """Begin every internal key; the braces are the cluster's hash tag."""
        return f"shopbot:{{{self.shop}}}:"

    @property
    def inbox(self) -> str:
        """Name the stream of events that wait for a worker."""
        return f"{self.prefix}inbox"

    @property
    def retries(self) -> str:
        """Name the sorted set of event ids that wait for their next attempt, by due time in ms."""
        return f"{self.prefix}retries"

    @property
    def dead(self) -> str:
        """Name the sorted set of event ids that were given up, by the time in ms."""
        return f"{self.prefix}dead"

    @property
    def fsync_probe(self) -> str:
        """Name the key that is written to see whether the server reports its fsyncs."""
        return f"{self.prefix}fsync_probe"

    def seen(self, event_id: str) -> str:
        """Name the mark that an arrival was taken in; while it lives, the same arrival is a duplicate."""
        return f"{self.prefix}webhook_id:{event_id}"

    def event(self, event_id: str) -> str:
        """Name the hash with an event's body, attempts and result."""
        return f"{self.prefix}event:{event_id}"

    def journal(self, event_id: str) -> str:
        """Name the list of an event's journal lines (JSON), oldest first."""
        return f"{self.prefix}journal:{event_id}"

    def claim(self, rule: str, subject: str) -> str:
        """Name the claim on a rule's message for a subject (`order:1001`): who sends it, and whether it is sent."""
        return self.claim_of(f"{rule}:{subject}")

    def claim_of(self, business_key: str) -> str:
        """Name a claim by rule and subject in one text, as a message's metadata carries them."""
        return f"{self.prefix}claim:{business_key}"

    @property
    def held(self) -> str:
        """Name the sorted set of event ids whose message is in doubt, by deadline in ms."""
        return f"{self.prefix}held"

    @property
    def parked(self) -> str:
        """Name the sorted set of event ids that wait for a closed channel, by arrival in ms."""
        return f"{self.prefix}parked"

    @property
    def echoes(self) -> str:
        """Name the hash that says whether echoes of messages arrive."""
        return f"{self.prefix}echoes"

    @property
    def unechoed(self) -> str:
        """Name the sorted set of tokens of messages that are sent and not echoed, by the time of their claims in ms."""
        return f"{self.prefix}unechoed"

    def line(self, psid: str) -> str:
        """Name the sorted set of ids of events that have a message for a shopper, by arrival in ms."""
        return f"{self.prefix}line:{psid}"

    def limit(self, purpose: str, psid: str) -> str:
        """Name the sorted set of a shopper's messages that count against a limit, by time in ms."""
        return f"{self.prefix}limit:{purpose}:{psid}"

    def channel(self, name: str) -> str:
        """Name the hash with a channel's rate, pauses and outages."""
        return f"{self.prefix}channel:{name}"

    def order_events(self, order_id: int) -> str:
        """Name the sorted set of ids of all events about an order, by arrival in ms."""
        return f"{self.prefix}order:{order_id}"

    def consumer(self, name: str) -> str:
        """Name the sign of life of one worker process."""
        return f"{self.prefix}consumer:{name}"

    def conversation(self, psid: str) -> str:
        """Name the record that a shopper has talked to the shop's Page."""
        return f"{self.prefix}conversation:{psid}"

    def receipts(self, psid: str) -> str:
        """Name the hash that says up to when the Page's messages have reached a shopper, and were read."""
        return f"{self.prefix}receipts:{psid}"

    def shopper(self, order_id: int) -> str:
        """Name the trusted PSID of an order, kept so that a retry does not depend on the cart it has cleared."""
        return f"{self.prefix}shopper:{order_id}"

    def orders_of(self, psid: str) -> str:
        """Name the sorted set of ids of a shopper's newest orders, by the time in ms when they were made."""
        return f"{self.prefix}orders_of:{psid}"

    def events_of(self, psid: str) -> str:
        """Name the sorted set of ids of the events that are about a shopper, by arrival in ms."""
        return f"{self.prefix}events_of:{psid}"

    def opted_out(self, pseudonym: str) -> str:
        """Name the record of whether a shopper wants messages, and since when: it stays when the shopper is erased."""
        return f"{self.prefix}opted_out:{pseudonym}"

    def unsent(self, psid: str) -> str:
        """Name the set of ids of dead letters that found a shopper's messaging window closed."""
        return f"{self.prefix}unsent:{psid}"

    @property
    def pseudonym_secret(self) -> str:
        """Name what pseudonyms are made with."""
        return f"{self.prefix}pseudonym_secret"

    def erased(self, pseudonym: str) -> str:
        """Name the mark that an order or a shopper was erased, and when in ms."""
        return f"{self.prefix}erased:{pseudonym}"

    @property
    def erased_shop(self) -> str:
        """Name the mark that all of the shop was erased, and when in ms."""
        return f"{self.prefix}erased_shop"

    @property
    def uninstalled(self) -> str:
        """Name the mark that the app was uninstalled, and when in ms."""
        return f"{self.prefix}uninstalled"

    @property
    def log_rewrite(self) -> str:
        """Name the note that the store should write its log on disk anew."""
        return f"{self.prefix}log_rewrite"

    def privacy_search(self, task_id: str) -> str:
        """Name how far a search for all that is kept about a person has got (JSON)."""
        return f"{self.prefix}privacy_search:{task_id}"

    @property
    def privacy_lease(self) -> str:
        """Name the lease of the one search that runs at a time."""
        return f"{self.prefix}privacy_lease"

    def poller(self, name: str) -> str:
        """Name the hash with a poller's window, state and counts."""
        return f"{self.prefix}poller:{name}"

    def poller_lease(self, name: str) -> str:
        """Name the lease of the one process that runs a poller."""
        return f"{self.prefix}poller:{name}:leader"

    def checkout(self, nonce: str) -> str:
        """Name the hash with what a signed token was made for, and which order it has served."""
        return f"{self.prefix}checkout:{nonce}"

    def checkout_of(self, token: str) -> str:
        """Name the way from a checkout or cart token of a link that shopbot made to that link's nonce."""
        return f"{self.prefix}checkout_of:{token}"
