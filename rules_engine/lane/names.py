"""What names mean in one store: its categories as listed last, and the rules that wait for a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.directory import Directory
from rules_engine.core.judge import unknown_name
from rules_engine.core.rule import Rule, RuleCode
from rules_engine.core.store import Capabilities, Store
from rules_engine.database.catalogue import load_directory

log = structlog.stdlib.get_logger(__name__)

LIST_EVERY = timedelta(hours=1)
"""How often the store's categories are listed afresh; their webhooks keep the list current in between."""


@dataclass(slots=True)
class Names:
    """The directory of one store, and which rules it leaves waiting.

    `listed_at` is when the shop's categories were last listed by this process, None where nobody knows.
    `waiting_rules` are those that name something which this store does not have, with the reason.
    """

    store: Store
    capabilities: Capabilities
    listed_at: datetime | None = None
    waiting_rules: dict[RuleCode, str] = field(default_factory=dict)
    _known: Directory | None = field(default=None, init=False)
    _checked: int | None = field(default=None, init=False)

    @property
    def directory(self) -> Directory:
        """What names mean; before the first load only what stores.yaml says."""
        return self._known or Directory(names=self.store.settings.names)

    def forget(self) -> None:
        """Nothing that this process remembers counts: somebody else may have had the lane in between."""
        self._known, self.listed_at = None, None

    def load(self, connection: Connection) -> None:
        """Take the directory from what is known of the categories."""
        self._known = self._read(connection)

    def _read(self, connection: Connection) -> Directory:
        return load_directory(connection, self.store, self.capabilities)

    def is_list_due(self, now: datetime) -> bool:
        """Whether the categories are to be listed, or the directory to be loaded at least."""
        is_old = self.listed_at is None or now - self.listed_at > LIST_EVERY
        return self._known is None or (self.capabilities.can_read_categories and is_old)

    def is_listed_since(self, at: datetime) -> bool:
        """Whether the categories were listed at this time or later."""
        return self.listed_at is not None and self.listed_at >= at

    def is_found(self, connection: Connection, rules: tuple[Rule, ...]) -> bool:
        """Whether one of these rules, which had to wait for a category, now names one: what it left is to be done."""
        old, new = self.directory, self._read(connection)
        return any(unknown_name(rule, old) and not unknown_name(rule, new) for rule in rules)

    def check(self, rules: tuple[Rule, ...], activation: int) -> None:
        """Find the rules that name a category or brand which means nothing here: they wait, and it is said."""
        self._checked = activation
        before, self.waiting_rules = self.waiting_rules, {}
        for rule in rules:
            reason = unknown_name(rule, self.directory)
            if reason:
                self.waiting_rules[rule.code] = reason
                if before.get(rule.code) != reason:
                    log.warning("a rule waits", store=self.store.alias, rule=rule.code, reason=reason)

    def is_checked(self, activation: int) -> bool:
        """Whether the rules of this activation were checked."""
        return self._checked == activation
