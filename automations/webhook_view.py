"""`POST /webhooks/automations/{id}`: a signed message sets an automation off."""

from __future__ import annotations

import time
from typing import Any

import orjson
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from api.views import ApiView
from automations.limits import MAX_INPUT_BYTES
from automations.models import Automation, TriggerType
from automations.services import AutomationTrigger, start_run
from automations.webhook_secrets import active_secrets
from core.exceptions import PayloadTooLarge, Unprocessable
from core.ids import decode_id
from outbound.signing import SignatureRefused, SignedMessage, verify
from renders.serializers.fields import find_unstorable


class AutomationWebhookView(ApiView):
    """Messages in the form of Standard Webhooks, signed with the automation's secret.

    In this order: size (413), signature and its time (401, the same for a missing automation), JSON (400), shape (422).
    """

    authentication_classes = ()
    permission_classes = ()
    # Nothing is counted by address: one sender serves many accounts. The automation's own limit counts the runs.
    throttle_classes: tuple[type[BaseThrottle], ...] = ()

    def post(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the path
        """Start a run (202), or say that the message came before (200)."""
        body = _read(request)
        automation = _find(id)
        message = SignedMessage.from_headers(request.headers, body)
        verify(message, secrets=active_secrets(automation, timezone.now()), now=time.time())
        if automation is None or not automation.owner.is_active or automation.owner.is_suspended:
            raise SignatureRefused("nobody can have signed this")
        trigger = AutomationTrigger("webhook", message.message_id, "webhook", _parse(body))
        run, is_new = start_run(automation_id=automation.pk, trigger=trigger)
        answer = {"object": "automation_hook", "run": run.public_id, "duplicate": not is_new}
        return Response(answer, status.HTTP_202_ACCEPTED if is_new else status.HTTP_200_OK)


def _read(request: Request) -> bytes:
    """Return the body as it was sent. Raises PayloadTooLarge, where its length was announced without reading it."""
    plain = request._request  # noqa: SLF001 - DRF's own would parse it
    length = plain.headers.get("Content-Length", "0")
    if (length.isdigit() and int(length) > MAX_INPUT_BYTES) or len(body := plain.body) > MAX_INPUT_BYTES:
        raise PayloadTooLarge(limit_bytes=MAX_INPUT_BYTES)
    return body


def _find(public_id: str) -> Automation | None:
    try:
        pk = decode_id(Automation.ID_PREFIX, public_id)
    except ValueError:
        return None
    found = Automation.objects.select_related("owner").filter(pk=pk, trigger_type=TriggerType.WEBHOOK)
    return found.first()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise Unprocessable([{"pointer": "", "code": "invalid_type", "detail": "This must be an object."}])
    if found := find_unstorable(data):
        raise Unprocessable([{"pointer": found[0], "code": "invalid_value", "detail": found[1]}])
    return data
