"""View of `POST /webhooks/automations/{id}`: a signed webhook that triggers an automation."""

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
    """Accepts Standard Webhooks messages signed with the automation's secret.

    Checks in order: size (413), signature and timestamp (401, also for an unknown automation), JSON (400), data (422).
    """

    authentication_classes = ()
    permission_classes = ()
    # No limit by address, as one sender serves many accounts; the automation limits its runs per hour.
    throttle_classes: tuple[type[BaseThrottle], ...] = ()

    def post(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the URL
        """Start a run (202), or return the run of a repeated message (200)."""
        body = _read(request)
        automation = _find(id)
        message = SignedMessage.from_headers(request.headers, body)
        verify(message, secrets=active_secrets(automation, timezone.now()), now=time.time())
        if automation is None or not automation.owner.is_active or automation.owner.is_suspended:
            raise SignatureRefused("unknown automation or inactive owner")
        trigger = AutomationTrigger("webhook", message.message_id, "webhook", _parse(body))
        run, is_new = start_run(automation_id=automation.pk, trigger=trigger)
        content = {"object": "automation_hook", "run": run.public_id, "duplicate": not is_new}
        return Response(content, status.HTTP_202_ACCEPTED if is_new else status.HTTP_200_OK)


def _read(request: Request) -> bytes:
    """Return the raw body. Raises PayloadTooLarge, if possible from Content-Length without reading the body."""
    plain = request._request  # noqa: SLF001 - DRF's request would parse it
    length = plain.headers.get("Content-Length", "0")
    if (length.isdigit() and int(length) > MAX_INPUT_BYTES) or len(body := plain.body) > MAX_INPUT_BYTES:
        raise PayloadTooLarge(limit_bytes=MAX_INPUT_BYTES)
    return body


def _find(public_id: str) -> Automation | None:
    try:
        pk = decode_id(Automation.ID_PREFIX, public_id)
    except ValueError:
        return None
    return Automation.objects.select_related("owner").filter(pk=pk, trigger_type=TriggerType.WEBHOOK).first()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise Unprocessable([{"pointer": "", "code": "invalid_type", "detail": "This must be an object."}])
    if problem := find_unstorable(data):
        raise Unprocessable([{"pointer": problem[0], "code": "invalid_value", "detail": problem[1]}])
    return data
