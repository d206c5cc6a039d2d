"""What the loader needs to know of a vendor: less than the vendors' own shape, so that it depends on none of them."""

from __future__ import annotations

from typing import Protocol

from rules_engine.core.store import Capabilities, Store, StoreSettings


class VendorSpec(Protocol):
    """A vendor class, as the loader sees it."""

    @property
    def TITLE(self) -> str:  # noqa: N802 — the vendor files write their facts in capitals
        """The name that people know."""

    @property
    def SETTINGS(self) -> type[StoreSettings]:  # noqa: N802 — see above
        """The shape of its stores in stores.yaml."""

    @property
    def FIELDS(self) -> frozenset[str]:  # noqa: N802 — see above
        """The fields that the shop can fill, as `product.stock`."""

    @property
    def CAPABILITIES(self) -> Capabilities:  # noqa: N802 — see above
        """What its API can do."""

    @property
    def ADD_MAY_CHANGE_MORE(self) -> bool:  # noqa: N802 — see above
        """Whether adding a product to a category may change more of it there."""

    @property
    def DEFAULT_BASE_URL(self) -> str | None:  # noqa: N802 — see above
        """Where it is reached when the store says nothing else."""


def add_may_change_more(spec: VendorSpec) -> bool:
    """Whether adding a product to a category may change more of the product there, such as its status and prices."""
    return spec.ADD_MAY_CHANGE_MORE


def called(store: Store, spec: VendorSpec) -> str:
    """The store and its vendor, as messages name them: `web (Ecwid)`."""
    return f"{store.alias} ({spec.TITLE})"
