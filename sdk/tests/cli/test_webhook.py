"""`rescind webhook`: who is told, and what could not be told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sdk.tests.cli.programs import Programs, in_time, invoke, refused


class Receiver(ThreadingHTTPServer):
    """Keeps the ids of what it gets, and answers with one status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.ids: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=of-ours"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.ids.append(self.headers["webhook-id"])
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def webhooks_found(served: Programs) -> tuple[str, str]:
    """What the doctor found of webhooks: its level, and what it says."""
    (found,) = (each for each in served.json("doctor")["checks"] if each["check"] == "webhooks")
    return found["level"], f"{found['message']} {found['advice']}".strip()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        serving = threading.Thread(target=opened.serve_forever, daemon=True)
        serving.start()
        yield opened
        opened.shutdown()
        serving.join()


def test_a_webhook_is_added_listed_shown_tested_and_removed(served: Programs, receiver: Receiver) -> None:
    options = ("--event", "execution.*", "--kind", "waits", "--label", "team=a", "--description", "for the shop")
    added = served.run("webhook", "add", receiver.url, *options)
    assert added.stderr == "Its secret is shown this once:\n"
    told, secret = added.stdout.splitlines()
    assert told.startswith("Webhook wh_")
    assert told.endswith(
        "is told of execution.completed, execution.failed, execution.cancelled, execution.cancel_requested."
    )
    assert secret.startswith("whsec_")
    webhook_id = told.split()[1]

    (listed,) = served.json("webhook", "list")["webhooks"]
    assert (listed["url"], listed["kinds"], listed["labels"]) == (receiver.url, ["waits"], {"team": "a"})
    assert secret not in str(listed)
    assert served.json("webhook", "show", webhook_id) == listed
    assert f"url               {receiver.url}" in served.run("webhook", "show", webhook_id).stdout
    heading, row = served.run("webhook", "list").stdout.splitlines()
    assert heading.split() == ["ID", "STATE", "WAITING", "DEAD", "CREATED", "URL", "DESCRIPTION"]
    assert row.startswith(f"{webhook_id}  told")

    delivery_id = served.json("webhook", "test", webhook_id)["delivery_id"]
    in_time(lambda: receiver.ids or None)
    served.json("start", "waits", "--id", "w-1", "--label", "team=a")
    served.json("cancel", "w-1", "--hard")
    ids = in_time(lambda: receiver.ids if len(receiver.ids) == 3 else None)
    assert ids[0] == delivery_id

    rotated = served.json("webhook", "rotate", webhook_id, "--overlap", "1h")
    assert rotated["secret"] != secret
    assert rotated["old_secret_until"] is not None
    assert served.run("webhook", "remove", webhook_id).stdout.startswith(f"Webhook {webhook_id} is removed")
    assert refused(served.run("webhook", "show", webhook_id), 3).endswith(f"there is no webhook '{webhook_id}'.")
    assert served.run("webhook", "list").stderr == "No webhooks.\n"


def test_what_was_given_up_is_listed_and_tried_anew(served: Programs, receiver: Receiver) -> None:
    webhook_id = served.json("webhook", "add", receiver.url)["webhook_id"]
    receiver.status = 410
    delivery_id = served.json("webhook", "test", webhook_id)["delivery_id"]
    (letter,) = in_time(lambda: served.json("webhook", "dead", webhook_id)["deliveries"] or None)
    assert (letter["delivery_id"], letter["problem"], letter["attempts"]) == (delivery_id, "it answered 410 Gone", 1)
    heading, row = served.run("webhook", "dead").stdout.splitlines()
    assert heading.split()[:3] == ["DELIVERY", "WEBHOOK", "EVENT"]
    assert row.startswith(f"{delivery_id}  {webhook_id}  webhook.ping")
    assert "is disabled" in refused(served.run("webhook", "retry", delivery_id), 4)
    receiver.status = 200
    assert served.run("webhook", "enable", webhook_id).stdout == f"Webhook {webhook_id} is told again.\n"
    assert served.run("webhook", "retry", "--all").stdout == "1 delivery tried anew.\n"
    in_time(lambda: receiver.ids if receiver.ids == [delivery_id] * 2 else None)
    in_time(lambda: served.json("webhook", "show", webhook_id)["waiting"] == 0 or None)
    assert served.json("webhook", "dead") == {"deliveries": [], "more": False}
    # What may be secret is not in the log.
    assert not any(each in served.log() for each in ("whsec_", "of-ours"))
    assert "was given up: it answered 410 Gone" in served.log()


def test_what_cannot_be_meant_is_refused_in_one_line(served: Programs) -> None:
    assert "Give https" in refused(served.run("webhook", "add", "http://example.com/"), 2)
    assert "no event 'nothing'" in refused(served.run("webhook", "add", "https://a.example/", "--event", "nothing"), 2)
    assert "is no label" in refused(served.run("webhook", "add", "https://a.example/", "--label", "team"), 2)
    assert "there is no webhook" in refused(served.run("webhook", "dead", "wh_0"), 3)


@pytest.mark.parametrize("given", [(), ("msg_1", "--all"), ("--webhook", "wh_1"), ("msg_1", "--webhook", "wh_1")])
def test_it_must_be_said_what_is_to_be_tried_anew(given: tuple[str, ...]) -> None:
    done = invoke("webhook", "retry", *given)
    assert done.exit_code == 2
    assert "Give the id of a delivery, or --all" in done.output


def test_the_doctor_tells_of_webhooks_that_are_not_told(served: Programs, receiver: Receiver) -> None:
    assert webhooks_found(served) == ("ok", "No webhook is asked for.")
    webhook_id = served.json("webhook", "add", receiver.url)["webhook_id"]
    assert webhooks_found(served) == ("ok", "1 webhook: all are told.")
    receiver.status = 410
    served.run("webhook", "test", webhook_id)
    in_time(lambda: served.json("webhook", "show", webhook_id)["dead"] == 1 or None)
    level, told = webhooks_found(served)
    assert level == "warn"
    assert f"Told nothing any more: {webhook_id} (it answered 410 Gone)." in told
    assert f"Dead letters: 1 to {webhook_id}." in told
    assert "rescind webhook enable ID" in told
    assert "rescind webhook retry" in told
