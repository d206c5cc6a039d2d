"""What people are told of what rules do: one notice for each of a rule's targets when something turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from .judge import Judged
from .plan import Notice, Trace
from .rule import Mode
from .subject import SubjectRef
from .view import Fields


def notices_of(
    judged: Iterable[Judged], traces: Sequence[Trace], subject: SubjectRef, fields: Fields, *, at: datetime
) -> tuple[Notice, ...]:
    """The notices of a decision: a live rule tells that its moment came, or that its stretch began or ended.

    A stretch that must last counts from when it has lasted. The text is what the rule's trace says.
    """
    texts = {trace.rule: trace.text for trace in traces}
    return tuple(
        Notice(target, each.rule.code, subject, called(subject, fields), texts[each.rule.code], at)
        for each in judged
        if each.rule.mode is Mode.LIVE and _is_news(each) and each.rule.code in texts
        for target in each.rule.notifies
    )


def _is_news(judged: Judged) -> bool:
    begins = judged.began and judged.is_ripe
    return judged.is_moment or begins or judged.ripened or (judged.ended and judged.is_ripe)


def called(subject: SubjectRef, fields: Fields) -> str:
    """What people call a product or category: its name, else its SKU, else its id."""
    return str(fields.get("name") or fields.get("sku") or subject.id)
