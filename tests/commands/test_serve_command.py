"""`serve` as a process: it receives, runs the lanes, says why it does not start, and ends well when it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from command_house import LAPTOP, House, free_port, poll

from rules_engine.database.inbox import DeliveryState, recent
from rules_engine.sandbox.stores import ENVIRONMENT, at_the_sandbox

BROKEN_STORES = """\
stores:
  web: {vendor: ecwid, store_id: 1003, token: secret_abc, client_secret: "${S}"}
  other: {vendor: nobody}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_signed_webhook_becomes_a_call_and_sigterm_ends_it_with_0(house: House) -> None:
    with house.shops() as shops, house.serving(ADMIN_TOKEN="an-admin-token-of-16") as server:
        web = shops["web"]
        assert httpx.get(f"{server.url}/readyz").is_success
        web.edit("sell_out", LAPTOP)
        assert set(web.deliver(server.url)) == {200}
        call = poll(lambda: web.writes("/unassignProducts"))[0]
        assert call["status"] == 200
        assert "server" not in httpx.get(f"{server.url}/healthz").headers
        metrics = httpx.get(f"{server.url}/metrics", headers={"Authorization": "Bearer an-admin-token-of-16"})
        assert 'rules_engine_calls_total{outcome="done",store="web"}' in metrics.text
        assert "_created" not in metrics.text
        assert server.stop() == 0
        log = server.log
    assert "listening" in log
    assert "Traceback" not in log
    assert not [secret for secret in (*ENVIRONMENT.values(), "an-admin-token-of-16") if secret in log]
    with house.database() as database:
        assert all(one.state is DeliveryState.PLANNED for one in database.read_now(recent))


def test_what_was_accepted_before_a_kill_is_done_after_the_next_start(house: House) -> None:
    with house.shops() as shops:
        web, stores = shops["web"], house.rules / "stores.yaml"
        reachable = stores.read_text()
        stores.write_text(at_the_sandbox(reachable, {"web": f"http://127.0.0.1:{free_port()}"}))
        with house.serving() as server:
            web.edit("sell_out", LAPTOP)
            assert set(web.deliver(server.url)) == {200}
            server.process.kill()
        stores.write_text(reachable)
        with house.serving():
            poll(lambda: web.writes("/unassignProducts"))


def test_invalid_stores_refuse_to_start_with_every_problem_and_touch_nothing(house: House) -> None:
    house.write("stores.yaml", BROKEN_STORES)
    with house.process("serve", PORT=str(free_port())) as process:
        assert process.wait(timeout=20) == 1
    said = (house.folder / "stderr").read_text()
    assert "stores.yaml:2:47: error: `token` is a secret and must not stand in a file" in said
    assert "stores.yaml:3:19: error: there is no vendor" in said
    assert "secret_abc" not in said
    assert "Traceback" not in said
    assert not house.file.exists()


def test_invalid_rules_keep_the_door_open_and_say_why(house: House) -> None:
    house.write("broken.yaml", "rules:\n  a: {while: sold out, do: [vanish]}\n")
    with house.shops() as shops, house.serving() as server:
        ready = httpx.get(f"{server.url}/readyz")
        assert ready.status_code == 503
        assert "rules/broken.yaml:2:" in ready.text
        shops["web"].edit("sell_out", LAPTOP)
        assert set(shops["web"].deliver(server.url)) == {200}
        assert server.stop() == 0


CLEARANCE = """
rules:
  last-pieces-go-on-sale:
    stores: [web]
    while: {product.stock: {between: 1 and 2}}
    do: [{add_to_category: Clearance}]
"""


def test_a_saved_rule_runs_at_once_and_a_wrong_one_is_refused_until_it_is_put_right(house: House) -> None:
    with house.shops() as shops, house.serving() as server:
        web = shops["web"]
        house.write("more.yaml", CLEARANCE.replace("product.stock", "product.stok"))
        refused = poll(lambda: httpx.get(f"{server.url}/readyz").json().get("refused_rules"))
        assert "rules/more.yaml:5:13" in refused
        poll(lambda: "rules/more.yaml:5:13" in server.log)
        web.edit("sell_out", LAPTOP)
        web.deliver(server.url)
        poll(lambda: web.writes("/unassignProducts"))  # by the last good rules
        house.write("more.yaml", CLEARANCE)
        poll(lambda: "refused_rules" not in httpx.get(f"{server.url}/readyz").json())
        web.edit("restock", LAPTOP, 2)
        web.deliver(server.url)
        poll(lambda: web.writes("/assignProducts"))
        assert server.stop() == 0
        log = server.log
    assert log.count("new rules are in force") == 2
    assert "Traceback" not in log


def test_a_store_without_its_variables_waits_and_the_others_are_served(house: House) -> None:
    house.environment["KSA_MANAGER_TOKEN"] = ""
    with house.serving() as server:
        ready = httpx.get(f"{server.url}/readyz")
        assert ready.is_success
        assert "set KSA_MANAGER_TOKEN" in ready.json()["stores"]["ksa"]


def test_a_port_that_is_taken_is_a_sentence_and_wrong_usage(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = house.run("serve", PORT=str(taken.getsockname()[1]), HOST="127.0.0.1")
    assert result.exit_code == 2
    assert "cannot be listened on (Address already in use): set PORT" in result.stderr
    assert not house.file.exists()


def test_sigterm_does_not_wait_for_a_shop_that_never_answers(house: House) -> None:
    stores = house.rules / "stores.yaml"
    with silent_shop() as (base_url, was_called):
        stores.write_text(at_the_sandbox(stores.read_text(), {"web": base_url}))
        with house.serving() as server:
            assert was_called.wait(timeout=20)
            before = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - before < 20


@contextmanager
def silent_shop() -> Iterator[tuple[str, threading.Event]]:
    """A shop that takes calls and never answers them, and the event of its first call."""
    was_called = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            taken = []
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    break
                was_called.set()
            for connection in taken:
                connection.close()

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", was_called
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            taking.join()
