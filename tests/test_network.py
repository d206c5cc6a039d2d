"""Calling out: what comes back is a value, and what goes wrong is one plain sentence without secrets."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine import __version__
from rules_engine.core.action import Request, Response
from rules_engine.core.errors import CallError, PermanentError, TemporaryError
from rules_engine.network import LARGEST_ANSWER, Network, Resolve, is_public, reached_by

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

# Self-signed for shop.example until 2126; the key opens nothing.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdQzYJ+cY+4FGSVA8
Lef9wjfb0mzb2iAMMETpdjf2VtuhRANCAAS/Ej+S7R3DccX9scnkTKBfkVBcGw82
/DyjaeBVamsgB7yZoiR+XzgUgoCjkWiipsH3pIiaWOr9lDsO0ceSa8GY
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUXlRkBf0xypQH9XUIFRaEvaEd/9owCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyMTIyMjk1MFoYDzIxMjYx
MDI4MjIyOTUwWjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAS/Ej+S7R3DccX9scnkTKBfkVBcGw82/DyjaeBVamsgB7yZ
oiR+XzgUgoCjkWiipsH3pIiaWOr9lDsO0ceSa8GYo2wwajAdBgNVHQ4EFgQU5YRx
XqRdi2F7tbp4sh+B0dDa2t8wHwYDVR0jBBgwFoAU5YRxXqRdi2F7tbp4sh+B0dDa
2t8wDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxzaG9wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSAAwRQIgd2sUQon+Mx4I8x7XAsaNBFp2vVpSWHzbQTbVRvQtQ4oC
IQD0/K2JQZO7NvmzGOS6f6jDLPfrhviRCJrzUUxgDCJEqw==
-----END CERTIFICATE-----
"""


class Shop:
    """A socket on loopback that answers every request with the same bytes, then hangs up unless it stays open."""

    def __init__(self, answer: bytes, *, stays_open: bool = False) -> None:
        self.connections = 0
        self._answer = answer
        self._stays_open = stays_open

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the caller is gone."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer)
                await writer.drain()
                if not self._stays_open:
                    break
        writer.close()

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Its port, while it is open."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls) as server:
            yield server.sockets[0].getsockname()[1]


def at(*addresses: str) -> Resolve:
    """A resolver that knows these addresses for every name."""

    async def resolve(_host: str) -> list[str]:
        return list(addresses)

    return resolve


def network(*, resolve: Resolve | None = None, allow_private_hosts: bool = False) -> Network:
    """A network on real sockets, in which every name is this machine."""
    return Network(now=lambda: NOW, resolve=resolve or at("127.0.0.1"), allow_private_hosts=allow_private_hosts)


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def answer(answering: httpx.Response, request: Request | None = None) -> Response:
    """What comes back when the shop answers so."""
    async with Network(now=lambda: NOW, transport=httpx.MockTransport(lambda _: answering)) as calls:
        return await calls.send(request or Request("GET", "https://shop.example/"))


async def failure(calls: Network, address: str) -> CallError:
    """The error of a call full of secrets, none of which it may show."""
    async with calls:
        with pytest.raises(CallError) as caught:
            await calls.send(Request("GET", f"{address}/?token=s3cret", {"Authorization": "s3cret"}, b"s3cret"))
    assert "s3cret" not in str(caught.value)
    return caught.value


async def test_an_answer_is_a_value_with_its_names_in_lower_case() -> None:
    got = await answer(httpx.Response(429, headers={"Retry-After": "3"}, content=b"[]"))
    assert (got.status, got.at, got.headers["retry-after"], got.body) == (429, NOW, "3", b"[]")
    assert all(name == name.lower() for name in got.headers)


async def test_a_request_arrives_as_it_was_prepared_and_says_who_calls() -> None:
    seen: list[httpx.Request] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with Network(now=lambda: NOW, transport=httpx.MockTransport(look)) as calls:
        await calls.send(Request("PUT", "https://shop.example/a?b=c", {"Authorization": "x"}, b"{}"))
    assert (seen[0].method, str(seen[0].url), seen[0].content) == ("PUT", "https://shop.example/a?b=c", b"{}")
    assert (seen[0].headers["authorization"], seen[0].headers["user-agent"]) == ("x", f"rules-engine/{__version__}")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    got = await answer(httpx.Response(302, headers={"Location": "https://elsewhere.example/login"}))
    assert (got.status, got.headers["location"]) == (302, "https://elsewhere.example/login")


async def test_a_cookie_of_one_answer_does_not_travel_with_the_next_call() -> None:
    seen: list[httpx.Headers] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, headers={"Set-Cookie": "session=1; Path=/"})

    async with Network(now=lambda: NOW, transport=httpx.MockTransport(look)) as calls:
        await calls.send(Request("GET", "https://shop.example/"))
        await calls.send(Request("GET", "https://shop.example/"))
    assert "cookie" not in seen[1]


async def test_connections_are_kept() -> None:
    shop = Shop(OK, stays_open=True)
    async with shop.open() as port, network() as calls:
        for _ in range(3):
            assert (await calls.send(Request("GET", f"http://shop.example:{port}/"))).body == b"{}"
    assert shop.connections == 1


def sized(body: bytes, *encodings: str) -> bytes:
    """An answer on the wire."""
    lines = [f"content-length: {len(body)}", *(f"Content-Encoding: {encoding}" for encoding in encodings)]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + body


async def test_a_compressed_answer_is_unpacked() -> None:
    async with Shop(sized(gzip.compress(b"[1]"), "gzip")).open() as port, network() as calls:
        assert (await calls.send(Request("GET", f"http://shop.example:{port}/"))).body == b"[1]"


async def test_an_answer_of_just_the_largest_size_is_taken() -> None:
    async with Shop(sized(gzip.compress(bytes(LARGEST_ANSWER)), "gzip")).open() as port, network() as calls:
        assert len((await calls.send(Request("GET", f"http://shop.example:{port}/"))).body) == LARGEST_ANSWER


@pytest.mark.parametrize(
    ("wire", "what"),
    [
        (sized(bytes(LARGEST_ANSWER + 1)), "is larger than 16 MiB"),
        (sized(gzip.compress(bytes(LARGEST_ANSWER + 1)), "gzip"), "is larger than 16 MiB"),
        (sized(gzip.compress(gzip.compress(b"{}")), "gzip, gzip"), "is compressed more than once"),
        (sized(gzip.compress(gzip.compress(b"{}")), "gzip", "gzip"), "is compressed more than once"),
        (sized(b"{}", "gzip"), "cannot be decompressed"),
        (b"", "hung up"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "hung up before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_tried_again(wire: bytes, what: str) -> None:
    async with Shop(wire).open() as port:
        error = await failure(network(), f"http://shop.example:{port}")
    assert isinstance(error, TemporaryError)
    assert what in str(error)
    assert "shop.example" in str(error)


STARTS = [b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nlocation: ", OK[:-4]]


@given(st.sampled_from(STARTS), st.binary(max_size=100), st.sampled_from([b"", b"\r\n\r\n", b"\r\n\r\n{}"]))
async def test_any_bytes_are_an_answer_or_a_call_error(start: bytes, mid: bytes, end: bytes) -> None:
    async with Shop(start + mid + end).open() as port, network() as calls:
        with suppress(CallError):
            await calls.send(Request("GET", f"http://shop.example:{port}/"))


async def test_a_shop_that_does_not_answer_in_time_is_left() -> None:
    silent = Shop(b"", stays_open=True)
    async with silent.open() as port:
        calls = Network(now=lambda: NOW, resolve=at("127.0.0.1"), call_seconds=0.05)
        error = await failure(calls, f"http://shop.example:{port}")
    assert isinstance(error, TemporaryError)
    assert str(error) == "shop.example did not answer within 0.05 seconds."


async def test_a_shop_that_stops_in_the_middle_of_its_answer_is_left() -> None:
    halting = Shop(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", stays_open=True)
    async with halting.open() as port:
        calls = Network(now=lambda: NOW, resolve=at("127.0.0.1"), call_seconds=0.05)
        error = await failure(calls, f"http://shop.example:{port}")
    assert str(error) == "shop.example did not answer within 0.05 seconds."


async def test_a_name_that_takes_too_long_to_resolve_is_given_up() -> None:
    async def never(_host: str) -> list[str]:
        addresses: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        return await addresses

    error = await failure(Network(now=lambda: NOW, resolve=never, connect_seconds=0.01), "https://shop.example")
    assert isinstance(error, TemporaryError)
    assert str(error) == "shop.example could not be reached within 0.01 seconds."


async def test_a_connection_that_takes_too_long_is_given_up() -> None:
    # No time at all: the name is known at once, and the connection cannot be.
    async with Shop(OK).open() as port:
        calls = Network(now=lambda: NOW, resolve=at("127.0.0.1"), connect_seconds=0)
        error = await failure(calls, f"http://shop.example:{port}")
    assert isinstance(error, TemporaryError)
    assert str(error) == "shop.example could not be reached within 0 seconds."


async def test_a_connection_that_breaks_is_tried_again() -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("s3cret")

    error = await failure(Network(now=lambda: NOW, transport=httpx.MockTransport(broken)), "https://shop.example")
    assert isinstance(error, TemporaryError)
    assert str(error) == "The connection to shop.example broke."


async def test_an_unknown_name_is_tried_again() -> None:
    async def unknown(_host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolve in (unknown, at()):
        error = await failure(network(resolve=resolve), "https://shop.example")
        assert isinstance(error, TemporaryError)
        assert "The name shop.example" in str(error)


async def test_a_closed_port_is_tried_again() -> None:
    port = closed_port()
    error = await failure(network(), f"http://shop.example:{port}")
    assert isinstance(error, TemporaryError)
    assert str(error) == f"shop.example does not accept connections on port {port}."


async def test_an_address_family_that_leads_nowhere_does_not_hide_the_other() -> None:
    async with Shop(OK).open() as port, network(resolve=at("::1", "127.0.0.1")) as calls:
        assert (await calls.send(Request("GET", f"http://shop.example:{port}/"))).status == 200


async def test_localhost_is_resolved_by_the_system() -> None:
    async with Shop(OK).open() as port, Network(now=lambda: NOW) as calls:
        assert (await calls.send(Request("GET", f"http://localhost:{port}/"))).status == 200


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text(CERTIFICATE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    async with Shop(OK).open(tls) as port:
        error = await failure(network(), f"https://shop.example:{port}")
    assert isinstance(error, TemporaryError)
    assert str(error).startswith("No secure connection to shop.example could be made")
    assert "self-signed certificate" in str(error)


PRIVATE = ["10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1"]
PRIVATE += ["240.0.0.1", "255.255.255.255", "::", "fd00:ec2::254", "fe80::1", "fe80::1%2", "ff02::1", "fec0::1"]
PRIVATE += ["4000::1", "2002:a00:5::1", "::ffff:10.0.0.5", "64:ff9b::a00:5"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_refused_at_connect(address: str) -> None:
    error = await failure(network(resolve=at(address)), "https://shop.example")
    assert isinstance(error, PermanentError)
    assert "shop.example is not on the internet" in str(error)
    assert "ALLOW_PRIVATE_HOSTS" in str(error)


async def test_a_private_address_in_the_url_itself_is_refused_too() -> None:
    error = await failure(Network(now=lambda: NOW), "https://10.0.0.5")
    assert isinstance(error, PermanentError)


async def test_private_addresses_are_called_when_the_operator_allows_them() -> None:
    # 0.0.0.0 is refused as a private address is, and ends at this machine, where nobody listens on the port.
    address = f"https://shop.example:{closed_port()}"
    assert isinstance(await failure(network(resolve=at("0.0.0.0")), address), PermanentError)
    tried = await failure(network(resolve=at("0.0.0.0"), allow_private_hosts=True), address)
    assert "does not accept connections" in str(tried)


async def test_the_address_that_was_judged_is_the_one_that_is_called() -> None:
    asked: list[str] = []

    async def rebind(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.5"]

    shop = Shop(OK)
    async with shop.open() as port, network(resolve=rebind) as calls:
        assert (await calls.send(Request("GET", f"http://shop.example:{port}/"))).status == 200
        with pytest.raises(PermanentError):
            await calls.send(Request("GET", f"http://shop.example:{port}/"))
    assert asked == ["shop.example"] * 2
    assert shop.connections == 1


async def test_of_several_addresses_only_the_allowed_ones_are_called() -> None:
    async with Shop(OK).open() as port, network(resolve=at("10.0.0.5", "127.0.0.1")) as calls:
        assert (await calls.send(Request("GET", f"http://shop.example:{port}/"))).status == 200


@pytest.mark.parametrize("address", ["93.184.215.14", "10.0.0.5", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
async def test_plain_http_goes_to_this_machine_only(address: str) -> None:
    error = await failure(network(resolve=at(address), allow_private_hosts=True), "http://shop.example")
    assert isinstance(error, PermanentError)
    assert "write https://" in str(error)


@pytest.mark.parametrize("token", ["s3cret\nX: y", "s3cret-ü"])
async def test_a_header_that_cannot_be_written_is_not_tried_again(token: str) -> None:
    async with Shop(OK).open() as port, network() as calls:
        with pytest.raises(PermanentError, match="cannot be written as HTTP") as caught:
            await calls.send(Request("GET", f"http://shop.example:{port}/", {"Authorization": token}))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["https://shop.example:s3cret/", "ftp://shop.example/?s3cret", "/products?s3cret", ""])
async def test_an_address_that_is_none_is_not_tried_again(url: str) -> None:
    async with network() as calls:
        with pytest.raises(PermanentError, match="base_url") as caught:
            await calls.send(Request("GET", url))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_inside_an_ipv6_one(address: IPv4Address) -> None:
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        wrapped = str(IPv6Address(prefix | int(address)))
        assert is_public(reached_by(wrapped)) == is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::6810:84e5", "64:ff9b::808:808"])
def test_what_is_on_the_internet_is_public(address: str) -> None:
    assert is_public(reached_by(address))


@given(st.ip_addresses())
def test_no_address_is_both_public_and_at_home(address: IPv4Address | IPv6Address) -> None:
    at_home = address.is_private or address.is_loopback or address.is_link_local
    assert not (is_public(address) and (at_home or address.is_multicast or address.is_unspecified))
