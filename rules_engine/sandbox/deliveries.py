"""The webhooks that a shop sends: queued, signed as they leave, sent again when they are not taken."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import httpx


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One webhook. `query` is what the shop adds to the URL; the headers are made as it leaves (`headers_for`)."""

    id: str
    event: str
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back for a webhook; `status` is 0 when nobody answered."""

    outgoing: Outgoing
    status: int
    body: bytes = b""


class Sender(ABC):
    """The half of a shop that sends. `deliveries` wait, `answered` is every answer, `lost` was given up."""

    max_attempts: int = 28
    """Ecwid's documentation: 27 retries over 24 hours. The others do not say."""

    def __init__(self, *, on_answer: Callable[[Answered], None] | None = None) -> None:
        self.deliveries: list[Outgoing] = []
        self.answered: list[Answered] = []
        self.lost: list[Outgoing] = []
        self.on_answer = on_answer
        self._is_queued = asyncio.Event()

    @abstractmethod
    def headers_for(self, outgoing: Outgoing) -> dict[str, str]:
        """The headers with which this webhook leaves now, signature included."""

    def queue(self, outgoing: Outgoing) -> None:
        """Let a webhook wait for its sending; also for those that a test made by hand."""
        self.deliveries.append(outgoing)
        self._is_queued.set()

    async def deliver(self, client: httpx.AsyncClient, url: str) -> list[Answered]:
        """Send all that is queued, in order, and give the answers; what is not taken with 200 stays queued."""
        return await self.deliver_out_of_order(client, url, range(len(self.deliveries)))

    async def deliver_out_of_order(self, client: httpx.AsyncClient, url: str, order: Iterable[int]) -> list[Answered]:
        """Send those queued webhooks whose places (from 0) `order` names, in that order; the others stay queued."""
        places = list(order)
        chosen = [self.deliveries[place] for place in places]
        self.deliveries = [one for place, one in enumerate(self.deliveries) if place not in set(places)]
        answers = []
        back: list[Outgoing] = []
        for outgoing in chosen:
            answer = await self.send(client, url, outgoing)
            answers.append(answer)
            if answer.status != 200:
                back.append(replace(outgoing, attempts=outgoing.attempts + 1))
        self._put_back(back)
        return answers

    async def send(self, client: httpx.AsyncClient, url: str, outgoing: Outgoing) -> Answered:
        """Send one webhook once, and record the answer."""
        target = httpx.URL(url).copy_merge_params(dict(outgoing.query))
        headers = {"Content-Type": "application/json", **self.headers_for(outgoing)}
        try:
            response = await client.post(target, content=outgoing.body, headers=headers)
        except httpx.TransportError:
            answer = Answered(outgoing, 0)
        else:
            answer = Answered(outgoing, response.status_code, response.content)
        self.answered.append(answer)
        if self.on_answer is not None:
            self.on_answer(answer)
        return answer

    async def redeliver_last(self, client: httpx.AsyncClient, url: str) -> Answered:
        """Send the last webhook once more: the same id, the same body."""
        return await self.send(client, url, self.answered[-1].outgoing)

    async def keep_delivering(self, client: httpx.AsyncClient, url: str) -> None:
        """Send whatever is queued as soon as it is, until cancelled. What is not taken goes along with the next."""
        while True:
            await self._is_queued.wait()
            self._is_queued.clear()
            await self.deliver(client, url)

    def _put_back(self, failed: Sequence[Outgoing]) -> None:
        """Queue again, before anything newer, what may be tried again; give up the rest."""
        self.deliveries[:0] = [one for one in failed if one.attempts < self.max_attempts]
        self.lost += [one for one in failed if one.attempts >= self.max_attempts]
