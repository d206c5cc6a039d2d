"""What all sandbox shops share: a catalogue of plain dicts, an API that logs its calls, and faults on demand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .control import control_routes
from .deliveries import Answered, Sender
from .exchange import Answer, Asked, BrokenResponse, Bucket, Call, Endpoint, Now, Record
from .faults import Fault, FaultKind

Id = str | int
"""An id as a person or another process names it; every shop takes both forms."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Shop(Sender):
    """A small shop that speaks one vendor's API (`app`) and sends that vendor's webhooks (`deliver`).

    People edit it by methods such as `sell_out`; every edit changes the catalogue and queues the webhooks that the real
    shop would send. `faults` are used up in order, each by the first call that it concerns, and then stand in
    `used_faults`. `now` gives aware times; `new_id` a new text for each event. `rate_per_minute` None is no limit.
    """

    NAME: ClassVar[str]
    """The vendor's word in stores.yaml."""
    EDITS: ClassVar[frozenset[str]] = frozenset(
        {"edit_product", "sell_out", "restock", "assign", "unassign", "delete_product"}
    )
    """The methods that another process may call by name."""

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        rate_per_minute: float | None = None,
        counts_refused: bool = False,
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> None:
        super().__init__(on_answer=on_answer)
        self.now = now
        self.new_id = new_id
        self.on_call = on_call
        self.faults: list[Fault] = []
        self.used_faults: list[Fault] = []
        self.calls: list[Call] = []
        self._bucket = Bucket(rate_per_minute, now, counts_refused=counts_refused) if rate_per_minute else None
        self.app = self._build_app()

    @classmethod
    def sample(
        cls,
        *,
        now: Now,
        new_id: Callable[[], str],
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> Self:
        """A shop with the catalogue of the demo and everything else by default."""
        return cls(now=now, new_id=new_id, on_call=on_call, on_answer=on_answer).with_sample()

    def with_sample(self) -> Self:
        """This shop, with the catalogue of the demo added and no webhook about that waiting."""
        self.fill()
        self.deliveries.clear()
        return self

    # What a vendor fills in.

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """The calls of the vendor's API, the more particular paths first."""

    @abstractmethod
    def refuse(self, asked: Asked) -> Answer | None:
        """The answer to a call without the right credentials, or None when they are right."""

    @abstractmethod
    def error(self, asked: Asked, status: int, message: str) -> Answer:
        """An error in the vendor's shape."""

    @abstractmethod
    def fill(self) -> None:
        """Add the products and categories of the demo."""

    @abstractmethod
    def view(self) -> Record:
        """The whole catalogue as the shop shows it, for another process to read."""

    @abstractmethod
    def memberships(self) -> dict[str, list[str]]:
        """The product ids in each category (at Axim: of each brand), by its id, all as text."""

    @abstractmethod
    def edit_product(self, product_id: Id, **changes: Any) -> None:
        """A person changes fields of a product, named as the vendor names them."""

    @abstractmethod
    def sell_out(self, product_id: Id) -> None:
        """The last piece is sold."""

    @abstractmethod
    def restock(self, product_id: Id, pieces: int) -> None:
        """There are `pieces` again."""

    @abstractmethod
    def assign(self, product_id: Id, target_id: Id) -> None:
        """A person puts a product in a category (at Axim: gives it a brand)."""

    @abstractmethod
    def unassign(self, product_id: Id, target_id: Id) -> None:
        """A person takes a product out of a category (at Axim: from a brand)."""

    @abstractmethod
    def delete_product(self, product_id: Id) -> None:
        """A person deletes a product."""

    # What it got.

    @property
    def writes(self) -> list[Call]:
        """The calls that write, whatever became of them."""
        return [call for call in self.calls if call.is_write]

    @property
    def base_path(self) -> str:
        """What stands before every path of the API."""
        return ""

    def too_many(self, asked: Asked, seconds: int) -> Answer:
        """The answer to a call beyond the rate."""
        answer = self.error(asked, 429, "Too many requests")
        return replace(answer, headers={"Retry-After": str(seconds)})

    def _build_app(self) -> Starlette:
        routes = [*control_routes(self), Route("/login", _login_page)]
        routes += [Route(self.base_path + one.path, self._door(one), methods=[one.method]) for one in self.endpoints()]
        nothing = Endpoint("*", "/{path:path}", lambda asked: self.error(asked, 404, "There is no such call"))
        routes.append(Route(nothing.path, self._door(nothing), methods=METHODS))
        app = Starlette(routes=routes)
        app.router.redirect_slashes = False
        return app

    def _door(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        async def serve(request: Request) -> Response:
            asked = await Asked.from_http(request)
            fault = self._next_fault(asked)
            if fault is not None and fault.gate is not None:
                await fault.gate.wait()
            answer = self._answer_with(fault, endpoint, asked)
            self._remember(asked, answer, fault)
            return BrokenResponse() if answer is None else answer.to_http()

        return serve

    def _next_fault(self, asked: Asked) -> Fault | None:
        for place, fault in enumerate(self.faults):
            if fault.concerns(asked.path, is_write=asked.is_write):
                rest = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                self.faults[place : place + 1] = rest
                self.used_faults.append(replace(fault, times=1))
                return fault
        return None

    def _answer_with(self, fault: Fault | None, endpoint: Endpoint, asked: Asked) -> Answer | None:
        """The answer, or None when the connection is to break."""
        if fault is None or fault.kind is FaultKind.SLOW:
            return self._answer(endpoint, asked)
        if fault.kind is FaultKind.LIE:
            return self._answer(endpoint, replace(asked, only=0))
        if fault.kind is FaultKind.PARTIAL:
            self._answer(endpoint, replace(asked, only=fault.first))
        elif fault.was_applied:
            self._answer(endpoint, asked)
        if fault.kind is FaultKind.DROP:
            return None
        if fault.body is not None:
            return Answer(fault.status, fault.body, fault.headers)
        return replace(self.error(asked, fault.status, "The sandbox was told to fail"), headers=fault.headers)

    def _answer(self, endpoint: Endpoint, asked: Asked) -> Answer:
        refusal = self.refuse(asked)
        if refusal is not None:
            return refusal
        wait = self._bucket.pour() if self._bucket is not None else 0
        return self.too_many(asked, wait) if wait else endpoint.function(asked)

    def _remember(self, asked: Asked, answer: Answer | None, fault: Fault | None) -> None:
        call = Call(
            number=len(self.calls) + 1,
            method=asked.method,
            path=asked.path,
            body=asked.body,
            status=answer.status if answer is not None else 0,
            note=_note(fault),
            query=asked.query,
            at=self.now(),
        )
        self.calls.append(call)
        if self.on_call is not None:
            self.on_call(call)


def _note(fault: Fault | None) -> str:
    if fault is None:
        return ""
    return f"fault: {fault.kind}" + (" after doing it" if fault.was_applied else "")


async def _login_page(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
    """What a caller finds who follows a redirect that says that the token is bad."""
    return HTMLResponse("<title>Log in</title>")


def iso(at: datetime) -> str:
    """A time as JSON APIs write it: `2026-01-31T10:00:00.000Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def whole_number(text: str | None, default: int) -> int | None:
    """The number in a query, `default` when it is absent, None when it is no whole number."""
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() else None


def without(record: Mapping[str, Any], *names: str) -> Record:
    """A copy of an object without these keys."""
    return {name: value for name, value in record.items() if name not in names}
