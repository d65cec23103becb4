"""Views of automations and their runs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.permissions import MissingScope
from api.routing import api_path
from api.views import ApiViewSet
from automations import services
from automations.actions import RENDER_SCOPE, prepare_action
from automations.exceptions import ActionRefused
from automations.filters import AutomationFilterSet, AutomationRunFilterSet
from automations.models import ActionType, Automation, AutomationRun
from automations.serializers import (
    AutomationChangeSerializer,
    AutomationCreateSerializer,
    AutomationDryRunSerializer,
    AutomationRunSerializer,
    AutomationSerializer,
    AutomationTriggerSerializer,
    AutomationWithSecretSerializer,
)
from automations.services import AutomationTrigger
from core.ids import encode_id, uuid7


def _members(body: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a validated body by model field name."""
    fields = {**body, **body.get("limits", {})}
    fields.pop("limits", None)
    if "project" in fields:
        fields["project_id"] = fields.pop("project")
    return fields


class AutomationViewSet(ListModelMixin, RetrieveModelMixin, IdempotentMixin, ApiViewSet):
    """Automations of the caller."""

    queryset = Automation.objects.all()
    filterset_class = AutomationFilterSet
    serializers = {"default": AutomationSerializer}
    endpoints = {
        "list": Endpoint("automations:read"),
        "retrieve": Endpoint("automations:read", row_etag=True),
        "create": Endpoint("automations:write"),
        "partial_update": Endpoint("automations:write"),
        "destroy": Endpoint("automations:write"),
        "trigger": Endpoint("automations:write"),
        "rotate_secret": Endpoint("automations:write"),
    }

    @extend_schema(request=AutomationCreateSerializer, responses={201: AutomationWithSecretSerializer})
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create an automation. The secret of a webhook trigger is shown only in this response."""
        self._require_scopes_of_action()
        body = _members(self.validated(AutomationCreateSerializer))
        assert isinstance(request.user, User)
        answer = self.respond_with(self._created)
        services.create_automation(owner=request.user, author_scopes=self._scopes(), before_commit=answer, **body)
        return answer.response

    def _created(self, row: Automation) -> Response:
        location = api_path("automation-detail", self._version(), id=row.public_id)
        return self._with_secret(row, status.HTTP_201_CREATED, {"Location": location})

    def _with_secret(self, row: Automation, http_status: int, headers: dict[str, str]) -> Response:
        serializer = AutomationWithSecretSerializer(row, context=self.get_serializer_context())
        return Response(serializer.data, http_status, headers={**headers, "Cache-Control": "no-store"})

    @extend_schema(request=AutomationChangeSerializer, responses=AutomationSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change, pause or resume an automation."""
        self._require_scopes_of_action()
        row, changes = self.get_object(), _members(self.validated(AutomationChangeSerializer))
        with self.unchanged(row):
            row = services.change_automation(automation=row, changes=changes, author_scopes=self._scopes())
        return Response(self.get_serializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete an automation and its runs; its renders stay."""
        row = self.get_object()
        with self.unchanged(row):
            services.delete_automation(automation=row)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=AutomationTriggerSerializer, responses={200: AutomationDryRunSerializer, 202: AutomationRunSerializer}
    )
    @idempotent
    def trigger(self, request: Request, **kwargs: Any) -> Response:
        """Trigger an automation (202; 200 with the existing run of a repeated trigger id), or dry-run it."""
        row, body = self.get_object(), self.validated(AutomationTriggerSerializer)
        trigger_id = body.get("trigger_id") or encode_id("trg", uuid7())
        if body["dry_run"]:
            report = self._try(row, trigger_id, body["data"])
            return self.once(lambda: report)
        trigger = AutomationTrigger("manual", trigger_id, "manual", body["data"])
        return self.once(lambda: self._triggered(row, trigger))

    def _triggered(self, row: Automation, trigger: AutomationTrigger) -> Response:
        run, is_new = services.start_run(automation_id=row.pk, trigger=trigger)
        return Response(AutomationRunSerializer(run).data, status.HTTP_202_ACCEPTED if is_new else status.HTTP_200_OK)

    def _try(self, row: Automation, trigger_id: str, data: dict[str, Any]) -> Response:
        report: dict[str, Any] = {"object": "automation_dry_run", "action": row.action_type, "request": None}
        report |= {"valid": False, "errors": [], "warnings": [], "estimate": None}
        try:
            action = prepare_action(row, {"id": trigger_id, "type": "manual", "timestamp": None, "data": data})
            report |= {"valid": True, "request": action.request}
            if action.prepared is not None:
                report |= {"warnings": action.prepared.warnings, "estimate": action.prepared.estimate}
        except ActionRefused as refusal:
            report["errors"] = refusal.errors
        return Response(AutomationDryRunSerializer(report).data)

    @extend_schema(request=None, responses=AutomationWithSecretSerializer)
    def rotate_secret(self, request: Request, **kwargs: Any) -> Response:
        """Replace the secret of a webhook trigger; the old one stays valid for 24 hours."""
        row = services.rotate_webhook_secret(automation=self.get_object())
        return self._with_secret(row, status.HTTP_200_OK, {})

    def _scopes(self) -> frozenset[str]:
        scopes: frozenset[str] = self.request.auth.scopes  # type: ignore[union-attr]
        return scopes

    def _require_scopes_of_action(self) -> None:
        """Refuse an action for which the credential lacks the scope; 403 takes precedence over 404 and 422."""
        data = self.request.data
        action = data.get("action") if isinstance(data, dict) else None
        action_type = action.get("type") if isinstance(action, dict) else None
        if action_type == ActionType.RENDER and RENDER_SCOPE not in self._scopes():
            raise MissingScope(required_scope=RENDER_SCOPE)


class AutomationRunViewSet(ListModelMixin, ApiViewSet):
    """Runs of an automation, newest first."""

    queryset = AutomationRun.objects.all()
    filterset_class = AutomationRunFilterSet
    serializers = {"default": AutomationRunSerializer}
    endpoints = {"list": Endpoint("automations:read")}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the runs of the caller's automation. Raises NotFound."""
        if getattr(self, "swagger_fake_view", False):
            return AutomationRun.objects.none()
        parents = AutomationViewSet(request=self.request, kwargs=self.kwargs, action="retrieve")
        return AutomationRun.objects.filter(automation=parents.get_object())
