"""What requests about webhooks and their answers look like in JSON. The document is made of these types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from rescind.model.webhooks import WebhookEvent
from rescind_server.gateway.http.answers import AnswerBody, Moment
from rescind_server.gateway.http.bodies import Labels, Name, PageSize, Query, RequestBody
from rescind_server.webhooks.addresses import LONGEST_URL
from rescind_server.webhooks.operating import LONGEST_DESCRIPTION, LONGEST_OVERLAP_MS, MOST_CONDITIONS

WantedLabels = Annotated[Labels, Meta(max_length=MOST_CONDITIONS)]
DeadPageToken = Annotated[str, Meta(pattern=r"^([0-9]{1,18}\.[0-9]{1,18})?$", max_length=37)]


class AddWebhookBody(RequestBody, frozen=True):
    """A webhook to be added.

    `url` is `https`, or `http` to the server's own machine, unless `allow_http`. `events` is what it is told of:
    `execution.*` is all of those; none takes ends of executions, and all about cancels. `kinds` and `labels` select by
    the execution. With `with_result` it is told results, and the texts of failures.
    """

    url: Annotated[str, Meta(min_length=1, max_length=LONGEST_URL)]
    events: Annotated[tuple[Name, ...], Meta(max_length=MOST_CONDITIONS)] = ()
    kinds: Annotated[tuple[Name, ...], Meta(max_length=MOST_CONDITIONS)] = ()
    labels: WantedLabels = field(default_factory=dict)
    description: Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)] = ""
    with_result: bool = False
    allow_http: bool = False


class RotateBody(RequestBody, frozen=True):
    """For how long what is sent is signed with the old secret, too, in milliseconds; null is a day."""

    overlap_ms: Annotated[float, Meta(ge=0, le=LONGEST_OVERLAP_MS)] | None = None


class RetryBody(RequestBody, frozen=True):
    """Dead letters to try anew: one, those of a webhook, or without both all whose webhooks are not disabled."""

    delivery_id: Name | None = None
    webhook_id: Name | None = None


class DeadQuery(Query, frozen=True):
    """Which dead letters: those of `webhook_id`, or all."""

    page_size: PageSize = 100
    page_token: DeadPageToken = ""
    webhook_id: Name | None = None


class WebhookBody(AnswerBody, frozen=True):
    """A webhook as it stands; its secret is not in it.

    `disabled` says why it is told nothing any more. Until `old_secret_until` what it is sent is signed with the secret
    before, too. `waiting` deliveries are still to be made, and `dead` were given up.
    """

    webhook_id: str
    url: str
    events: tuple[WebhookEvent, ...]
    kinds: tuple[str, ...]
    labels: dict[str, str]
    description: str
    with_result: bool
    created_by: str
    created_at: Moment
    disabled: str | None
    old_secret_until: Moment | None
    waiting: int
    dead: int


class WebhookList(AnswerBody, frozen=True):
    """All webhooks, the oldest first."""

    webhooks: tuple[WebhookBody, ...]


class WebhookSecretBody(AnswerBody, frozen=True):
    """A webhook, and the secret that what it is sent is signed with. It is shown this once."""

    webhook: WebhookBody
    secret: str


class PingBody(AnswerBody, frozen=True):
    """A ping is on its way, as the delivery of this id."""

    delivery_id: str


class DeadDeliveryBody(AnswerBody, frozen=True):
    """A delivery that was given up. `problem` is what the last attempt met; a ping is about no execution."""

    delivery_id: str
    webhook_id: str
    event: WebhookEvent
    execution_id: str | None
    created_at: Moment
    attempts: int
    dead_at: Moment
    problem: str


class DeadPage(AnswerBody, frozen=True):
    """Dead letters, the last given up first; an empty token ends."""

    deliveries: tuple[DeadDeliveryBody, ...]
    next_page_token: str


class RetriedBody(AnswerBody, frozen=True):
    """So many dead letters are tried anew."""

    count: int
