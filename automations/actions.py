"""Preparation of an automation's action with the data of a trigger. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api.problems import flatten_errors
from automations.exceptions import ActionRefused
from automations.interpolation import Interpolator
from automations.models import ActionType, Automation
from core.exceptions import Unprocessable
from renders.exceptions import EditRefused
from renders.models import RenderPriority
from renders.requests import PreparedRender, RenderRequest
from renders.serializers.requests import RenderCreateSerializer
from renders.services.prepare import prepare_render

# Members of an action that are interpolated. Placeholders of the edit itself are for its merge values.
INTERPOLATED_MEMBERS = {ActionType.RENDER.value: ("merge", "metadata"), ActionType.NOTIFY.value: ("title", "body")}
RENDER_SCOPE = "renders:write"
MAX_REQUEST_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class PreparedAction:
    """An action ready to run. request: the interpolated action; prepared: the render, for render actions."""

    request: dict[str, Any]
    prepared: PreparedRender | None = None


def prepare_action(automation: Automation, event: Mapping[str, Any]) -> PreparedAction:
    """Return the action for this event. Raises ActionRefused with pointers into the automation."""
    request = interpolate_action(automation, event)
    if automation.action_type == ActionType.NOTIFY:
        return PreparedAction(request)
    if RENDER_SCOPE not in automation.owner.scopes.intersection(automation.author_scopes):
        detail = f"The credential that set this action lacks the scope {RENDER_SCOPE}."
        raise ActionRefused([{"pointer": "/action", "code": "missing_scope", "detail": detail}])
    return PreparedAction(request, prepare_action_render(automation, request))


def interpolate_action(automation: Automation, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the action with the event's values interpolated. Raises ActionRefused."""
    context = {"id": automation.public_id, "name": automation.name}
    interpolator = Interpolator({"event": event, "automation": context})
    request = dict(automation.action)
    for name in INTERPOLATED_MEMBERS[automation.action_type]:
        if name in request:
            request[name] = interpolator.interpolate(request[name], f"/action/{name}")
    if interpolator.problems:
        raise ActionRefused(interpolator.problems)
    if len(orjson.dumps(request)) > MAX_REQUEST_BYTES:
        raise ActionRefused([{"pointer": "/action", "code": "too_long", "detail": "The action is too long."}])
    return request


def prepare_action_render(automation: Automation, request: Mapping[str, Any]) -> PreparedRender:
    """Return the render of an interpolated action, validated like a request of its owner. Raises ActionRefused."""
    body = RenderCreateSerializer(data={name: value for name, value in request.items() if name != "type"})
    if not body.is_valid():
        raise ActionRefused(_below_action(flatten_errors(body.errors)))
    try:
        return prepare_render(owner=automation.owner, request=_render_request(body.validated_data))
    except EditRefused as refusal:
        raise ActionRefused(_below_action(refusal.members["errors"])) from refusal


def _render_request(body: Mapping[str, Any]) -> RenderRequest:
    return RenderRequest(
        edit=body.get("edit"),
        template_id=body.get("template"),
        merge=body["merge"],
        project_id=body["project"],
        priority=RenderPriority[body["priority"].upper()],
        webhook=body["webhook"],
        metadata=body["metadata"],
        strict=body["strict"],
    )


def _below_action(errors: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    prefixed = [{**error, "pointer": f"/action{error.get('pointer', '')}"} for error in errors]
    return prefixed[: Unprocessable.MAX_ERRORS]
