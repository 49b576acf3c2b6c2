"""Secrets and signatures, as Standard Webhooks has them."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from rescind.model.ids import Instant
from rescind_server.store.outbox import Secret

PREFIX: Final = "whsec_"
_BYTES: Final = 32
_MICROSECONDS: Final = 1_000_000


def new_secret() -> str:
    """A secret that nobody else has."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers_of(delivery_id: str, body: bytes, kept: Iterable[Secret], now: Instant) -> Mapping[str, str]:
    """The headers that let a receiver know one delivery from another, and from what others send.

    Args:
        delivery_id: its id; the same at every attempt.
        body: what is sent.
        kept: the secrets, the present one first; those that are over are not used.
        now: the time of the attempt.
    """
    timestamp = str(now // _MICROSECONDS)
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    signatures = [_signature(each.text, signed) for each in kept if each.until is None or each.until > now]
    return {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
