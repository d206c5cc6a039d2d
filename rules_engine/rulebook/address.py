"""What an address in stores.yaml may be: https, or http to this very machine, and no credentials in it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def what_is_wrong_with_base_url(address: str) -> str:
    """Why an address cannot be where a shop is called, or empty: scheme, host and port are all that it may have."""
    parts = _split(address)
    if isinstance(parts, str):
        return parts
    if parts.query or parts.fragment or "?" in address or "#" in address:
        return "an address here has no `?` and no `#`"
    if parts.path not in {"", "/"}:
        return "an address here has no path: the vendor's own is added"
    return _what_is_wrong_with_scheme(parts)


def what_is_wrong_with_webhook_url(address: str) -> str:
    """Why an address cannot be one that is told what rules did, or empty. It never shows any of the address."""
    parts = _split(address)
    return parts if isinstance(parts, str) else _what_is_wrong_with_scheme(parts)


def _split(address: str) -> SplitResult | str:
    """The parts of an address, or why it is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "this is no address"
    if not address.isascii() or re.search(r"[\s\x00-\x20\\]", address) or not parts.hostname:
        return "this is no address"
    if parts.username is not None or parts.password is not None:
        return "user names and passwords do not stand in an address"
    return parts


def _what_is_wrong_with_scheme(parts: SplitResult) -> str:
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return ""
    return "the address must begin with https:// (http:// only for this very machine)"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
