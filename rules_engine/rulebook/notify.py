"""`notify:` of stores.yaml → whom rules may tell: names for webhook URLs, which are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules_engine.core.problem import Place
from rules_engine.core.store import NotifyTarget

from .address import what_is_wrong_with_webhook_url
from .masks import VARIABLE
from .report import Report
from .yaml import MapNode, Node, ScalarNode

_NAME = re.compile(r"\w[\w -]{0,63}")


class NotifyTargets:
    """Reads `notify:`."""

    def __init__(self, report: Report, environment: Mapping[str, str] | None) -> None:
        self._report = report
        self._environment = environment

    def read(self, root: Node) -> tuple[NotifyTarget, ...]:
        """The targets, in the order of the file; without those that are wrong, which is reported."""
        node = root.get("notify") if isinstance(root, MapNode) else None
        if node is None or (isinstance(node, ScalarNode) and node.is_null):
            return ()
        if not isinstance(node, MapNode):
            said = "`notify` is a map of names"
            self._report.error(node.place, "wrong-shape", said, "write `notify: {shop-floor: ${SHOP_FLOOR_WEBHOOK}}`")
            return ()
        found = [self._target(key, value) for key, value in node]
        return tuple(target for target in found if target is not None)

    def _target(self, key: ScalarNode, node: Node) -> NotifyTarget | None:
        if not _NAME.fullmatch(key.text):
            said = f'"{key.text[:60]}" cannot name who is told'
            self._report.error(key.place, "bad-alias", said, "use letters, digits, blanks, - and _")
            return None
        variable = re.sub(r"\W", "_", f"{key.text}_webhook").upper()
        advice = f"write `${{{variable}}}` and set {variable} in the environment"
        match = VARIABLE.fullmatch(node.text.strip()) if isinstance(node, ScalarNode) else None
        if match is None:
            is_text = isinstance(node, ScalarNode)
            is_blank = isinstance(node, ScalarNode) and (node.is_null or not node.text.strip())
            what = "is empty" if is_blank else "is a secret and must not stand in a file"
            said = f"the webhook's URL {what}" if is_text else f"`{key.text}` is one URL"
            place = Place(node.place.path, node.place.line, node.place.column)  # its length is part of the secret
            self._report.error(place, "literal-secret" if is_text else "wrong-shape", said, advice)
            return None
        if self._environment is None:
            return NotifyTarget(key.text, match[0])
        url = self._environment.get(match[1], "").strip()
        wrong = what_is_wrong_with_webhook_url(url) if url else ""
        if wrong:
            said = f"what {match[1]} holds cannot be called: {wrong}"
            self._report.error(node.place, "bad-webhook-url", said, "set it to the URL that the chat gave you")
            return None
        return NotifyTarget(key.text, url, missing="" if url else match[1])
