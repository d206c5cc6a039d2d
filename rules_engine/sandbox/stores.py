"""The sandbox shops as the shipped stores.yaml knows them: by alias, at an address on loopback, with their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO

from ruamel.yaml import YAML

from . import axim, ecwid, zave, zid
from .shop import Shop

BY_ALIAS: Mapping[str, type[Shop]] = {
    "web": ecwid.EcwidShop,
    "ksa": zid.ZidShop,
    "b2b": zave.ZaveShop,
    "brands": axim.AximShop,
}
"""Which shop stands behind each store of the shipped stores.yaml."""

ENVIRONMENT: Mapping[str, str] = {
    "WEB_TOKEN": ecwid.TOKEN,
    "WEB_CLIENT_SECRET": ecwid.CLIENT_SECRET,
    "KSA_AUTHORIZATION": zid.AUTHORIZATION,
    "KSA_MANAGER_TOKEN": zid.MANAGER_TOKEN,
    "KSA_WEBHOOK_PASSWORD": zid.PASSWORD,
    "B2B_AUTH": zave.AUTH_VALUE,
    "B2B_WEBHOOK_SECRET": zave.WEBHOOK_SECRET,
    "BRANDS_TOKEN": axim.TOKEN,
    "BRANDS_WEBHOOK_SECRET": axim.WEBHOOK_SECRET,
}
"""The variables that the shipped stores.yaml names, as the sandbox has them."""


def at_the_sandbox(text: str, base_urls: Mapping[str, str]) -> str:
    """A stores.yaml whose stores are called at these addresses, given by alias; all else stays. Raises `KeyError`."""
    yaml = YAML()
    document = yaml.load(text)
    for alias, base_url in base_urls.items():
        document["stores"][alias]["base_url"] = base_url
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()
