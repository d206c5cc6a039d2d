"""The shop systems that the engine speaks with, one file each; this list is all that registers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .axim import Axim
from .base import Vendor
from .ecwid import Ecwid
from .zave import Zave
from .zid import Zid

VENDORS: Mapping[str, type[Vendor[Any]]] = {  # Any: each vendor has settings of its own
    "ecwid": Ecwid,
    "zid": Zid,
    "zave": Zave,
    "axim": Axim,
}
"""Every vendor by its word in stores.yaml."""
