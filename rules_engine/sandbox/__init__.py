"""Small shops that speak the four protocols on loopback, for the demo, the tests and the load."""

from __future__ import annotations

from .axim import AximShop
from .clock import ManualClock, numbered
from .deliveries import Answered, Outgoing
from .ecwid import EcwidShop
from .exchange import Call
from .faults import Fault, FaultKind
from .shop import Shop
from .zave import ZaveShop
from .zid import ZidShop

SHOPS: tuple[type[Shop], ...] = (EcwidShop, ZidShop, ZaveShop, AximShop)
"""Every sandbox shop; `NAME` is its vendor's word in stores.yaml."""

__all__ = [
    "SHOPS",
    "Answered",
    "AximShop",
    "Call",
    "EcwidShop",
    "Fault",
    "FaultKind",
    "ManualClock",
    "Outgoing",
    "Shop",
    "ZaveShop",
    "ZidShop",
    "numbered",
]
