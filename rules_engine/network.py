"""The one place where the engine calls out: a request as a value goes in, the shop's answer as a value comes out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import TracebackType
from typing import Self

import httpcore
import httpx

from rules_engine import __version__
from rules_engine.core.action import Request, Response
from rules_engine.core.errors import PermanentError, TemporaryError

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host name, best first. Raises `OSError` when the name has none."""

CONNECT_SECONDS = 5.0
"""For each step of connecting: the name, the connection, TLS. A shop that is up needs a fraction of it."""
CALL_SECONDS = 30.0
"""For a whole call, from the first byte sent to the last one read."""
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer, after decompression."""

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


async def resolve_by_system(host: str) -> list[str]:
    """The addresses that the operating system knows for a name. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def reached_by(address: str) -> IPv4Address | IPv6Address:
    """The address that a connection ends at: an IPv4 address inside an IPv6 one is what counts."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:
            return IPv4Address(int(found) & 0xFFFFFFFF)
    return found


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is out on the internet: not private, link-local, multicast, unspecified or reserved."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    # Python calls 6to4 and the old site-local range global; the first leads to an IPv4 address, the second home.
    return isinstance(address, IPv4Address) or (address.sixtofour is None and not address.is_site_local)


class Network:
    """Calls to shops, over connections that are kept. Use it as an async context manager.

    Private, link-local, multicast, unspecified and reserved addresses are refused unless `allow_private_hosts`;
    loopback is allowed, and is the only place that plain http goes to. Redirects are not followed, cookies are not
    kept, and proxies and certificates of the environment are not used. `transport` replaces the wire, for tests.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        allow_private_hosts: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = resolve_by_system,
        connect_seconds: float = CONNECT_SECONDS,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._now = now
        self._connect_seconds = connect_seconds
        self._call_seconds = call_seconds
        mounts: dict[str, httpx.AsyncBaseTransport] = {}
        if transport is None:
            transport = _GuardedTransport(_Guard(resolve, allows_private=allow_private_hosts), _tls())
            mounts["http://"] = _GuardedTransport(_LoopbackGuard(resolve))
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"rules-engine/{__version__}"},
            # A shop's cookie would be sent along for another store on the same host.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(None, connect=connect_seconds),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            mounts=mounts,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, request: Request) -> Response:
        """Make one call. Any status is an answer.

        Raises `TemporaryError` when no whole answer of at most 16 MiB came in time, and `PermanentError` when the
        request may not or cannot be sent. Their texts name the host and nothing that is secret.
        """
        asked = self._build(request)
        host = asked.url.host
        try:
            async with asyncio.timeout(self._call_seconds):
                answer = await self._client.send(asked, stream=True)
                try:
                    body = await _read(answer, host)
                finally:
                    await answer.aclose()
        except httpx.LocalProtocolError:
            raise PermanentError(_unsendable(host)) from None  # its text shows the header, which may be the token
        except (httpx.HTTPError, OSError) as error:
            raise TemporaryError(self._describe(error, host)) from error
        return Response(status=answer.status_code, at=self._now(), headers=dict(answer.headers), body=body)

    def _build(self, request: Request) -> httpx.Request:
        try:
            asked = self._client.build_request(
                request.method, request.url, headers=dict(request.headers), content=request.body
            )
        except (httpx.InvalidURL, UnicodeError):
            raise PermanentError(_unsendable("the shop")) from None  # these may show the URL or a header
        if asked.url.scheme not in {"http", "https"} or not asked.url.host:
            raise PermanentError("A shop's address starts with https:// and a host name: look at its base_url.")
        return asked

    def _describe(self, error: httpx.HTTPError | OSError, host: str) -> str:
        match error:
            case httpx.ConnectTimeout():
                return f"{host} could not be reached within {self._connect_seconds:g} seconds."
            case httpx.TimeoutException() | TimeoutError():
                return f"{host} did not answer within {self._call_seconds:g} seconds."
            case httpx.ConnectError():
                # The guard has a sentence of its own for everything before TLS; OpenSSL's text holds no secret.
                return f"No secure connection to {host} could be made: {error}."
            case httpx.ProtocolError():
                return f"{host} hung up before its answer was complete, or answered with something that is not HTTP."
            case httpx.DecodingError():
                return f"The answer of {host} cannot be decompressed."
            case _:
                return f"The connection to {host} broke."


@cache
def _tls() -> ssl.SSLContext:
    """What verifies certificates, and host names with them. Reading the authorities takes 20 ms, so once is enough."""
    return httpx.create_ssl_context(trust_env=False)


async def _read(answer: httpx.Response, host: str) -> bytes:
    if len(answer.headers.get_list("content-encoding", split_commas=True)) > 1:
        # Each layer of compression multiplies what one packet may become in memory, before it can be counted.
        raise TemporaryError(f"The answer of {host} is compressed more than once.")
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise TemporaryError(f"The answer of {host} is larger than {LARGEST_ANSWER // 1024 // 1024} MiB.")
    return bytes(body)


def _unsendable(host: str) -> str:
    return (
        f"The request to {host} cannot be written as HTTP: "
        "look for odd characters or line breaks in the store's base_url, token or header settings."
    )


class _Guard(httpcore.AsyncNetworkBackend):
    """Resolves a name, judges the addresses, and connects to the very address that was judged.

    A name that is resolved twice may give a harmless address first and a private one later (DNS rebinding).
    """

    def __init__(self, resolve: Resolve, *, allows_private: bool = False) -> None:
        self._resolve = resolve
        self._allows_private = allows_private
        self._wire = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to an allowed address of the host."""
        try:
            async with asyncio.timeout(timeout):
                found = await self._resolve(host)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, UnicodeError) as error:
            raise TemporaryError(f"The name {host} could not be resolved to an address.") from error
        if not found:
            raise TemporaryError(f"The name {host} has no address.")
        allowed = [address for address in found if self.allows(reached_by(address))]
        if not allowed:
            raise PermanentError(self.refusal(host, ", ".join(found)))
        # One of each family: a family that leads nowhere may use up its share of the time, not all of it.
        firsts: dict[int, str] = {}
        for address in allowed:
            firsts.setdefault(ip_address(address).version, address)
        share = None if timeout is None else timeout / len(firsts)
        failure: Exception | None = None
        for address in firsts.values():
            try:
                return await self._wire.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        if isinstance(failure, httpcore.ConnectTimeout):
            raise failure
        raise TemporaryError(f"{host} does not accept connections on port {port}.") from failure

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether this address may be connected to."""
        return self._allows_private or address.is_loopback or is_public(address)

    def refusal(self, host: str, found: str) -> str:
        """What to tell the operator about a host that has no allowed address."""
        return (
            f"{host} is not on the internet ({found}), so it is not called: "
            "if this is your own network, set ALLOW_PRIVATE_HOSTS to true."
        )


class _LoopbackGuard(_Guard):
    """Lets plain http go to this machine only: elsewhere anybody on the way could read the store's token."""

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        return address.is_loopback

    def refusal(self, host: str, found: str) -> str:
        return f"{host} is another machine ({found}), so plain http is not used: write https:// in its base_url."


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over a pool whose connections a guard makes: httpx itself has no parameter for that."""

    def __init__(self, guard: _Guard, tls: ssl.SSLContext | None = None) -> None:
        # Lanes bound how many calls a store has under way; a bound here would let one slow shop delay the others.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=5.0,
            network_backend=guard,
        )
