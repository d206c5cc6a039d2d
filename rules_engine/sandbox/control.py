"""Doors for another process, such as a scripted crash run, to drive a shop and to look at it."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .deliveries import Answered
from .exchange import Record, decoded
from .faults import Fault, FaultKind

if TYPE_CHECKING:
    from .shop import Shop

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: an engine on loopback is reached by plain http, and to read all authorities each time is slow."""

FAULT_FIELDS = ("status", "headers", "body", "times", "where", "path", "was_applied", "first")


def control_routes(shop: Shop) -> list[Route]:
    """The doors under `/__sandbox`. They are not part of the vendor's API: not logged, not limited, never faulty.

    - `POST edit` `{"do": "sell_out", "with": [37208339]}` or `{"do": "edit_product", "with": [1], "changes": {…}}`
    - `GET state` `{"catalogue", "memberships", "waiting", "lost", "answered", "used_faults"}` · `GET calls`
    - `POST faults` `{"kind": "drop", "was_applied": true, "where": "write", …}`; what is `slow` waits for `POST open`
    - `POST deliver` `{"url": "http://127.0.0.1:8000/webhooks/web", "at_most": 1}` → the answers
    """
    gates: list[asyncio.Event] = []

    async def edit(request: Request) -> Response:
        wish = await _object(request)
        if wish is None or wish.get("do") not in shop.EDITS:
            return _refusal(f"do one of {', '.join(sorted(shop.EDITS))}")
        try:
            given = getattr(shop, wish["do"])(*wish.get("with", ()), **wish.get("changes", {}))
        except (KeyError, TypeError, ValueError) as error:
            return _refusal(f"{type(error).__name__}: {error}")
        return JSONResponse({"done": wish["do"], "gave": given, "waiting": len(shop.deliveries)})

    async def state(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
        return JSONResponse(
            {
                "catalogue": shop.view(),
                "memberships": shop.memberships(),
                "waiting": [one.event for one in shop.deliveries],
                "lost": [one.event for one in shop.lost],
                "answered": [one.status for one in shop.answered],
                "used_faults": len(shop.used_faults),
            }
        )

    async def calls(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
        return JSONResponse([call.to_json() for call in shop.calls])

    async def faults(request: Request) -> Response:
        wish = await _object(request)
        try:
            kind = FaultKind((wish or {}).get("kind", FaultKind.ANSWER))
        except ValueError:
            return _refusal(f"kind is one of {', '.join(FaultKind)}")
        fields = {name: value for name, value in (wish or {}).items() if name in FAULT_FIELDS}
        gate = asyncio.Event() if kind is FaultKind.SLOW else None
        gates.extend([gate] if gate else ())
        shop.faults.append(Fault(kind=kind, gate=gate, **fields))
        return JSONResponse({"faults": len(shop.faults)})

    async def open_gates(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
        for gate in gates:
            gate.set()
        return JSONResponse({"opened": len(gates)})

    async def deliver(request: Request) -> Response:
        wish = await _object(request)
        if wish is None or "url" not in wish:
            return _refusal("url: where to deliver")
        waiting = len(shop.deliveries)
        places = range(min(waiting, wish.get("at_most", waiting)))
        async with httpx.AsyncClient(verify=PLAIN, trust_env=False) as client:
            answers = await shop.deliver_out_of_order(client, wish["url"], places)
        return JSONResponse({"answers": [_answered(one) for one in answers], "waiting": len(shop.deliveries)})

    return [
        Route("/__sandbox/edit", edit, methods=["POST"]),
        Route("/__sandbox/state", state),
        Route("/__sandbox/calls", calls),
        Route("/__sandbox/faults", faults, methods=["POST"]),
        Route("/__sandbox/open", open_gates, methods=["POST"]),
        Route("/__sandbox/deliver", deliver, methods=["POST"]),
    ]


async def _object(request: Request) -> Record | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(message: str) -> Response:
    return JSONResponse({"error": message}, 400)


def _answered(answer: Answered) -> Record:
    outgoing = answer.outgoing
    return {"id": outgoing.id, "event": outgoing.event, "status": answer.status, "answer": decoded(answer.body)}
