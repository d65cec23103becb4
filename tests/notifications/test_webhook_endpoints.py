"""Endpoints of `/webhooks`: create, list, change, delete, rotate the secret."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.plans import limits_of
from notifications.encryption import decrypt
from notifications.models import WebhookDelivery, WebhookEndpoint, WebhookEndpointHealth
from notifications.serializers import webhooks as serializers
from outbound.signing import parse_secret
from tests.factories import make_api_key, make_delivery, make_endpoint, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
BODY = {"url": "https://93.184.215.14/hook", "events": ["render.*"], "description": "prod"}


def refusals(response):
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def test_creates_an_endpoint_and_shows_its_secret_once(client_of_alice, alice):
    response = client_of_alice.post("/api/v2/webhooks", BODY)
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    row, health = WebhookEndpoint.objects.get(), WebhookEndpointHealth.objects.get()
    assert response["Location"] == f"/api/v2/webhooks/{row.public_id}"
    assert 24 <= len(parse_secret(body["secret"])) <= 64
    assert decrypt(row.secret) == body["secret"]
    assert (row.owner, row.url, row.events, row.description) == (alice, BODY["url"], ["render.*"], "prod")
    assert health.endpoint_id == row.pk
    read = client_of_alice.get(response["Location"])
    assert read.json() == {name: value for name, value in body.items() if name != "secret"}
    assert read["ETag"] == response["ETag"]
    assert body["secret"] not in client_of_alice.get("/api/v2/webhooks").content.decode()
    assert not WebhookDelivery.objects.exists(), "a new endpoint gets no automatic ping"


def test_a_repeated_idempotency_key_creates_no_second_endpoint_and_hides_the_secret(client_of_alice):
    first, second = (client_of_alice.post("/api/v2/webhooks", BODY, headers={"Idempotency-Key": "k"}) for _ in "12")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotent-Replayed"] == "true"
    assert first.json()["secret"] not in second.content.decode()
    assert second.json()["id"] == first.json()["id"]
    assert WebhookEndpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"url": "http://93.184.215.14/"}, ("/url", "url_scheme")),
        ({"url": "https://127.0.0.1/"}, ("/url", "address_refused")),
        ({"url": "https://[::ffff:10.0.0.1]/"}, ("/url", "address_refused")),
        ({"url": "https://user:pass@93.184.215.14/"}, ("/url", "url_credentials")),
        ({"url": "https://93.184.215.14:22/"}, ("/url", "url_port")),
        ({"url": "nowhere"}, ("/url", "url_scheme")),
        ({"url": None}, ("/url", "null")),
        ({"events": ["render.*", "render.exploded"]}, ("/events/1", "unknown_event")),
        ({"events": []}, ("/events", "empty")),
        ({"events": "render.*"}, ("/events", "not_a_list")),
        ({"description": "x" * 201}, ("/description", "max_length")),
        ({"secret": "whsec_x"}, ("/secret", "unknown_field")),
    ],
)
def test_refuses_invalid_values_with_a_pointer(client_of_alice, change, expected):
    response = client_of_alice.post("/api/v2/webhooks", {**BODY, **change})
    assert response.status_code == 422, response.content
    ((pointer, code),) = refusals(response)
    assert pointer == expected[0]
    if expected[1].startswith(("url_", "address", "unknown")):
        assert code == expected[1]
    assert not WebhookEndpoint.objects.exists()


def test_refuses_hosts_that_resolve_to_private_addresses_but_not_unknown_hosts(client_of_alice, monkeypatch):
    def resolver(host, port):
        if host == "unknown.test":
            raise OSError
        return ["93.184.215.14", "10.0.0.7"] if host == "mixed.test" else ["93.184.215.14"]

    resolve = serializers.resolve_webhook_url
    monkeypatch.setattr(serializers, "resolve_webhook_url", lambda url: resolve(url, resolver=resolver))
    answers = {
        host: client_of_alice.post("/api/v2/webhooks", {**BODY, "url": f"https://{host}/"}).status_code
        for host in ("mixed.test", "unknown.test", "public.test")
    }
    assert answers == {"mixed.test": 422, "unknown.test": 201, "public.test": 201}


def test_allowed_hosts_may_be_private_and_use_http(client_of_alice, settings):
    settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS = [("127.0.0.1", 8080)]
    assert client_of_alice.post("/api/v2/webhooks", {**BODY, "url": "http://127.0.0.1:8080/"}).status_code == 201
    assert client_of_alice.post("/api/v2/webhooks", {**BODY, "url": "http://127.0.0.1:8081/"}).status_code == 422
    settings.RENDEROWL_WEBHOOK_PORTS = frozenset({8443})
    assert client_of_alice.post("/api/v2/webhooks", {**BODY, "url": "https://93.184.215.14:8443/"}).status_code == 201


def test_the_plan_limits_the_number_of_endpoints(client_of_alice, alice):
    limit = limits_of(alice.plan).webhook_endpoints
    for _ in range(limit):
        make_endpoint(alice)
    make_endpoint(make_user())
    make_endpoint(alice, kind="renders", url="")
    response = client_of_alice.post("/api/v2/webhooks", BODY)
    assert (response.status_code, response.json()["code"], response.json()["limit"]) == (409, "invalid_state", limit)
    endpoint = WebhookEndpoint.objects.filter(owner=alice, kind="subscription").first()
    assert delete(client_of_alice, endpoint).status_code == 204
    assert client_of_alice.post("/api/v2/webhooks", BODY).status_code == 201


def tag_of(client, endpoint):
    return client.get(f"/api/v2/webhooks/{endpoint.public_id}")["ETag"]


def delete(client, endpoint):
    headers = {"If-Match": tag_of(client, endpoint)}
    return client.delete(f"/api/v2/webhooks/{endpoint.public_id}", headers=headers)


def change(client, endpoint, body, tag=None):
    headers = {"If-Match": tag or tag_of(client, endpoint)}
    return client.patch(f"/api/v2/webhooks/{endpoint.public_id}", body, headers=headers)


def test_changes_require_the_current_etag(client_of_alice, alice):
    endpoint = make_endpoint(alice)
    path = f"/api/v2/webhooks/{endpoint.public_id}"
    old = tag_of(client_of_alice, endpoint)
    assert client_of_alice.patch(path, {"description": "x"}).status_code == 428
    assert client_of_alice.delete(path).status_code == 428
    changed = change(client_of_alice, endpoint, {"description": "new", "events": ["asset.*", "asset.*"]})
    assert (changed.status_code, changed.json()["description"], changed.json()["events"]) == (200, "new", ["asset.*"])
    assert changed["ETag"] == tag_of(client_of_alice, endpoint) != old
    assert change(client_of_alice, endpoint, {"description": "late"}, tag=old).status_code == 412
    assert WebhookEndpoint.objects.get().description == "new"


def test_an_attempt_does_not_change_the_etag(client_of_alice, alice):
    endpoint = make_endpoint(alice)
    old = tag_of(client_of_alice, endpoint)
    WebhookEndpointHealth.objects.update(limit_running=1, is_slow=True)
    assert tag_of(client_of_alice, endpoint) == old


def test_can_be_disabled_and_enabled(client_of_alice, alice):
    endpoint = make_endpoint(alice, limit_running=1)
    off = change(client_of_alice, endpoint, {"status": "disabled"}).json()
    assert (off["status"], off["disabled_reason"], off["disabled_at"] is not None) == ("disabled", "owner", True)
    on = change(client_of_alice, endpoint, {"status": "enabled"}).json()
    assert (on["status"], on["disabled_reason"], on["disabled_at"]) == ("enabled", None, None)
    assert WebhookEndpointHealth.objects.get().limit_running == 4
    assert change(client_of_alice, endpoint, {"status": "tired"}).status_code == 422


def test_deleting_an_endpoint_hides_its_deliveries(client_of_alice, alice):
    endpoint = make_endpoint(alice)
    delivery = make_delivery(endpoint)
    assert delete(client_of_alice, endpoint).status_code == 204
    for path in (f"webhooks/{endpoint.public_id}", f"webhooks/{endpoint.public_id}/deliveries",
                 f"deliveries/{delivery.public_id}"):  # fmt: skip
        assert client_of_alice.get(f"/api/v2/{path}").status_code == 404
    assert client_of_alice.get("/api/v2/webhooks").json()["data"] == []
    row = WebhookEndpoint.objects.get()
    assert (row.is_enabled, row.secret, row.deleted_at is not None) == (False, "", True)


def test_rotation_returns_the_new_secret_once(client_of_alice, alice):
    endpoint = make_endpoint(alice)
    path = f"/api/v2/webhooks/{endpoint.public_id}/rotate-secret"
    response = client_of_alice.post(path, headers={"Idempotency-Key": "r"})
    secret = response.json()["secret"]
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    row = WebhookEndpoint.objects.get()
    assert (decrypt(row.secret), row.previous_secret) == (secret, endpoint.secret)
    assert response.json()["previous_secret_expires_at"] is not None
    again = client_of_alice.post(path, headers={"Idempotency-Key": "r"})
    assert again["Idempotent-Replayed"] == "true"
    assert secret not in again.content.decode()
    assert WebhookEndpoint.objects.get().secret == row.secret


def test_the_endpoint_of_renders_can_only_rotate_its_secret(client_of_alice, alice):
    response = client_of_alice.get("/api/v2/webhooks/per-render")
    body = response.json()
    assert (response.status_code, body["kind"], body["url"]) == (200, "renders", None)
    assert client_of_alice.get("/api/v2/webhooks/per-render").json() == body
    assert client_of_alice.get("/api/v2/webhooks").json()["data"] == []
    path = f"/api/v2/webhooks/{body['id']}"
    assert client_of_alice.post(f"{path}/rotate-secret").json()["secret"].startswith("whsec_")
    assert client_of_alice.get(f"{path}/deliveries").json()["data"] == []
    headers = {"If-Match": client_of_alice.get(path)["ETag"]}
    assert client_of_alice.delete(path, headers=headers).json()["code"] == "invalid_state"
    assert client_of_alice.patch(path, {"events": ["*"]}, headers=headers).json()["code"] == "invalid_state"
    assert client_of_alice.post(f"{path}/test").json()["code"] == "invalid_state"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_lists_in_the_format_of_the_version(client_of_alice, alice, version):
    rows = [make_endpoint(alice) for _ in range(3)]
    make_endpoint(make_user())
    body = client_of_alice.get(f"/api/{version}/webhooks").json()
    assert [row["id"] for row in body["data"]] == [row.public_id for row in reversed(rows)]
    assert ("pagination" if version == "v1" else "has_more") in body
    listed = client_of_alice.get(f"/api/{version}/webhooks/events").json()
    assert ("pagination" if version == "v1" else "has_more") in listed
    assert len(listed["data"]) == 11
    assert listed["data"][0]["type"] == "render.queued"


def test_permissions(alice):
    endpoint = make_endpoint(alice)
    read, write = "webhooks:read", "webhooks:write"
    check_access(Access("webhook-list", {"GET": read, "POST": write}), owner=alice)
    check_access(Access("webhook-event-types", {"GET": read}), owner=alice)
    check_access(Access("webhook-per-render", {"GET": read}), owner=alice)
    detail = {"GET": read, "PATCH": write, "DELETE": write}
    check_access(Access("webhook-detail", detail), owner=alice, row=endpoint)
    check_access(Access("webhook-deliveries", {"GET": read}), owner=alice, row=endpoint)
    check_access(Access("webhook-test", {"POST": write}), owner=alice, row=endpoint)
    check_access(Access("webhook-rotate-secret", {"POST": write}), owner=alice, row=endpoint)
    check_access(Access("webhook-replay", {"POST": write}), owner=alice, row=endpoint)
    delivery = make_delivery(endpoint)
    check_access(Access("delivery-detail", {"GET": read}), owner=alice, row=delivery)
    check_access(Access("delivery-redeliver", {"POST": write}), owner=alice, row=delivery)


def test_refuses_endpoints_of_other_accounts(client_of_alice):
    endpoint = make_endpoint(make_user("bob"))
    client = APIClient(headers={"X-API-Key": make_api_key(make_user("charlie"))})
    for user_client in (client_of_alice, client):
        assert user_client.post(f"/api/v2/webhooks/{endpoint.public_id}/rotate-secret").status_code == 404
    assert WebhookEndpoint.objects.get().secret == endpoint.secret
