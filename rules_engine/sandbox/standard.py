"""What the shops share that send whole products by Standard Webhooks: Zave IT and Axim Commerce."""

from __future__ import annotations

from abc import abstractmethod

from .deliveries import Outgoing
from .exchange import Record, encoded
from .shop import Shop, iso
from .signing import standard_headers


class StandardShop(Shop):
    """A shop whose webhooks are `{type, timestamp, data}`, with the product in `data`."""

    webhook_secret: str

    @abstractmethod
    def shown(self, product_id: str) -> Record:
        """A product as the shop shows it."""

    def webhook(self, event: str, product: Record) -> Outgoing:
        """A webhook, not queued. Its id is the same however often it is sent."""
        body = {"type": event, "timestamp": iso(self.now()), "data": product}
        return Outgoing(self.new_id(), event, encoded(body))

    def headers_for(self, outgoing: Outgoing) -> dict[str, str]:
        """Signed for the moment of sending: a redelivery has the same id, and a time and a signature of its own."""
        return standard_headers(self.webhook_secret, id_=outgoing.id, at=self.now(), body=outgoing.body)

    def _emit(self, event: str, product_id: str) -> None:
        self.queue(self.webhook(event, self.shown(product_id)))
