"""Events of renders, batches, assets and credits, and their payloads."""

from __future__ import annotations

import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook

from assets.events import AssetFailed, AssetReady
from core.events import publish
from credits import services as credit_services
from jobs.models import Job
from notifications.models import WebhookDelivery
from notifications.services import endpoints
from notifications.subscribers import webhooks as subscribers
from notifications.webhooks.event_types import EVENT_TYPES, is_pattern, matches
from notifications.webhooks.payloads import MAX_PAYLOAD_BYTES
from renders.events import RenderStarted, RenderSucceeded
from renders.models import Render
from renders.requests import RenderRequest
from renders.services.cancel import cancel_render
from renders.services.outcomes import close_failed
from renders.services.submit import retry_render, submit_render
from renders.services.transitions import event_fields
from tests.factories import make_asset, make_batch, make_edit, make_endpoint, make_render
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


def created(**filters):
    """Return (type, data) of the created deliveries, in order."""
    rows = WebhookDelivery.objects.filter(**filters).order_by("id")
    bodies = [json.loads(row.body) for row in rows]
    assert [body["type"] for body in bodies] == [row.type for row in rows]
    return [(body["type"], body["data"]) for body in bodies]


def test_delivers_the_events_of_a_render_from_submit_to_end(alice):
    make_endpoint(alice, events=["render.*"])
    render = submit_render(owner=alice, request=RenderRequest(edit=make_edit(), metadata={"order": "7"}))
    with transaction.atomic():
        publish(RenderStarted(**event_fields(render), attempt=1))
    error = {
        "code": "boom",
        "message": "It broke.",
        "retryable": False,
        "pointer": None,
        "step": "saving",
        "attempt": 1,
    }
    close_failed(render_id=render.pk, error=error)
    types, data = zip(*created(), strict=True)
    assert types == ("render.queued", "render.started", "render.failed")
    assert {one["id"] for one in data} == {render.public_id}
    assert data[-1]["status"] == "failed"
    assert data[-1]["error"]["code"] == "boom"
    assert data[-1]["metadata"] == {"order": "7"}
    sequences = [one["sequence"] for one in data]
    assert sequences == sorted(set(sequences))
    assert {row.resource for row in WebhookDelivery.objects.all()} == {render.public_id}


def test_delivers_the_cancellation_of_a_render(alice):
    make_endpoint(alice, events=["render.cancelled"])
    render = submit_render(owner=alice, request=RenderRequest(edit=make_edit()))
    cancel_render(render=render)
    assert [name for name, _ in created()] == ["render.cancelled"]


def test_delivers_only_subscribed_events_to_enabled_endpoints(alice, settings):
    settings.RENDEROWL_CREDITS_LOW = 500
    make_endpoint(alice, events=["asset.ready", "credits.low"])
    make_endpoint(alice, events=["render.*"])
    make_endpoint(alice, events=["*"], is_enabled=False)
    ready = make_asset(alice)
    failed = make_asset(alice, status="failed", error={"code": "x", "detail": "y"}, storage_key="", sha256="")
    with transaction.atomic():
        publish(AssetReady(asset_id=ready.pk, owner_id=alice.pk))
        publish(AssetFailed(asset_id=failed.pk, owner_id=alice.pk, code="x", detail="y"))
    credit_services.reserve(user_id=alice.pk, amount=600, reference="r")
    (first, asset), (second, balance) = created()
    assert (first, asset["id"], asset["status"]) == ("asset.ready", ready.public_id, "ready")
    assert (second, balance["balance"], balance["threshold"]) == ("credits.low", "4.00", "5.00")


def test_delivers_a_batch_when_its_last_render_has_ended(alice):
    make_endpoint(alice, events=["batch.*"])
    batch = make_batch(alice, total=2)
    for render in Render.objects.filter(batch=batch):
        credit_services.reserve(user_id=alice.pk, amount=1, reference=render.reference)
        assert created() == []
        cancel_render(render=render)
    ((name, data),) = created()
    assert (name, data["id"], data["counts"]["cancelled"]) == ("batch.completed", batch.public_id, 2)


def test_without_an_endpoint_an_event_takes_one_query_and_writes_nothing(alice):
    render = make_render(alice)
    event = RenderStarted(**event_fields(render), attempt=1)
    with CaptureQueriesContext(connection) as queries:
        subscribers.publish_render_events([event])
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        subscribers.publish_asset_event(AssetFailed(asset_id=render.pk, owner_id=alice.pk, code="x", detail="y"))
    assert len(queries) == 1
    assert not WebhookDelivery.objects.exists()
    assert not Job.objects.exists()


def test_many_events_to_many_endpoints_take_few_queries(alice):
    renders = [
        make_render(alice, webhook={"url": "https://receiver.test/", "events": ["render.started"]}) for _ in "12"
    ]
    renders += [make_render(alice) for _ in range(28)]
    for _ in range(3):
        make_endpoint(alice)
    with CaptureQueriesContext(connection) as queries:
        subscribers.publish_render_events([RenderStarted(**event_fields(render), attempt=1) for render in renders])
    rows = WebhookDelivery.objects.all()
    assert (rows.count(), Job.objects.count()) == (3 * 30 + 2, 3 * 30 + 2)
    assert {row.job_id for row in rows} == set(Job.objects.values_list("pk", flat=True))
    assert Job.objects.filter(status="queued").count() == 3 * 4 + 2
    # A few queries for each of four limit keys; the rest are bulk inserts, in small batches on SQLite.
    assert len(queries) < 45


def test_a_body_stays_below_twenty_kilobytes(alice):
    make_endpoint(alice)
    long = {f"key{number}": "ä" * 500 for number in range(50)}
    error = {"code": "x", "message": "m" * 30_000, "retryable": False, "pointer": None, "step": None, "attempt": 1}
    render = make_render(alice, status="failed", metadata=long, error=error)
    subscribers.publish_render_events([RenderStarted(**event_fields(render), attempt=1)])
    row = WebhookDelivery.objects.get()
    assert len(row.body.encode()) < MAX_PAYLOAD_BYTES
    data = json.loads(row.body)["data"]
    assert data["truncated"] == ["metadata", "error"]
    assert (data["id"], data["status"], data["metadata"]) == (render.public_id, "failed", None)


def test_links_in_a_body_are_absolute(alice, settings):
    settings.PUBLIC_URL = "https://owl.example"
    make_endpoint(alice)
    render = make_render(alice, status="succeeded")
    subscribers.publish_render_events([RenderStarted(**event_fields(render), attempt=1)])
    ((_, data),) = created()
    assert data["output"]["url"].startswith("https://owl.example/files/")


@pytest.mark.parametrize(
    ("patterns", "event", "expected"),
    [
        (["render.*"], "render.failed", True),
        (["render.*"], "renders.failed", False),
        (["render.failed"], "render.failed", True),
        (["*"], "ping", True),
        (["asset.ready", "batch.*"], "render.failed", False),
    ],
)
def test_matches_types_and_wildcards(patterns, event, expected):
    assert matches(patterns, event) is expected


def test_every_event_type_can_be_subscribed_to():
    assert {event.name for event in EVENT_TYPES} == {
        "render.queued", "render.started", "render.succeeded", "render.failed", "render.cancelled", "batch.completed",
        "asset.ready", "asset.failed", "credits.low", "webhook.disabled", "ping",
    }  # fmt: skip
    assert all(is_pattern(event.name) for event in EVENT_TYPES)
    assert not any(map(is_pattern, ["ping.*", "render", "rend*", "render.**", "", "render.exploded"]))


# Webhook settings of single renders


def submit(alice, edit=None, **webhook):
    request = RenderRequest(edit=edit or make_edit(), webhook=webhook or None)
    return submit_render(owner=alice, request=request)


def test_the_url_of_a_render_gets_its_chosen_events_signed_with_the_secret_of_the_account(alice, receiver):
    render = submit(alice, url=receiver.url("/own"), events=["render.queued", "render.cancelled"])
    assert render.warnings == []
    made = endpoints.rotate_secret(endpoint=endpoints.get_render_endpoint(owner_id=alice.pk))
    cancel_render(render=render)
    run_pending(queues=["webhooks"])
    assert [request.path for request in receiver.received] == ["/own", "/own"]
    verified = [Webhook(made.secret).verify(request.body, request.headers) for request in receiver.received]
    assert [body["type"] for body in verified] == ["render.queued", "render.cancelled"]


def test_the_url_of_a_render_gets_only_its_end_by_default(alice):
    render = submit(alice, url="https://receiver.test/own")
    assert created() == []
    cancel_render(render=render)
    assert [name for name, _ in created(url="https://receiver.test/own")] == ["render.cancelled"]


def test_the_callback_of_an_edit_gets_its_own_format_at_the_end(alice, receiver):
    render = submit(alice, edit={**make_edit(), "callback": receiver.url("/back")})
    assert (render.webhook, render.warnings) == ({"callback": receiver.url("/back")}, [])
    cancel_render(render=render)
    run_pending(queues=["webhooks"])
    (request,) = receiver.received
    row = Render.objects.get()
    assert request.path == "/back"
    assert request.json == {
        "type": "edit",
        "action": "render",
        "id": render.public_id,
        "owner": alice.public_id,
        "status": "failed",
        "url": None,
        "error": "The render was cancelled.",
        "completed": row.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def test_the_callback_of_a_render_that_succeeded(alice):
    render = make_render(alice, status="succeeded", webhook={"callback": "https://receiver.test/back"})
    subscribers.publish_render_events([RenderSucceeded(**event_fields(render), credits_charged=1)])
    body = json.loads(WebhookDelivery.objects.get().body)
    assert (body["status"], body["error"]) == ("done", None)
    assert body["url"].startswith("http")


def test_an_undeliverable_callback_is_a_warning(alice):
    render = submit(alice, edit={**make_edit(), "callback": "https://10.0.0.7/back"})
    assert [(item["pointer"], item["code"]) for item in render.warnings] == [
        ("/edit/callback", "callback_not_delivered")
    ]
    assert render.webhook is None


def test_a_retry_keeps_the_webhook_settings(alice):
    edit = {**make_edit(), "callback": "https://receiver.test/back"}
    first = submit(alice, edit=edit, url="https://receiver.test/own", events=["render.queued"])
    cancel_render(render=first)
    again = retry_render(render=Render.objects.get())
    assert again.webhook == {
        "url": "https://receiver.test/own",
        "events": ["render.queued"],
        "callback": "https://receiver.test/back",
    }
    assert [name for name, _ in created(resource=again.public_id)] == ["render.queued"]


def test_a_gone_url_of_a_render_does_not_disable_its_endpoint(alice, receiver):
    receiver.answer = (410, {}, b"")
    submit(alice, url=receiver.url("/own"), events=["render.queued"])
    run_pending(queues=["webhooks"])
    row = WebhookDelivery.objects.select_related("endpoint").get()
    assert (row.status, row.endpoint.is_enabled) == ("failed", True)
