"""Base view for submitting renders, shared by renders and templates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.conditional import row_tag
from api.etags import EntityTag
from api.features import is_enabled
from api.idempotency.views import IdempotentMixin
from api.problems import flatten_errors
from api.routing import api_path
from api.views import ApiViewSet
from files.links import link_context
from renders.models import Render, RenderPriority
from renders.requests import RenderRequest, ValidationResult
from renders.serializers.renders import RenderSerializer, RenderV1Serializer, ValidationResultSerializer
from renders.serializers.requests import carries_edit
from renders.services.prepare import check_render, prepare_render
from renders.services.submit import accept_render
from renders.waiting.polling import preferred_wait_s, wait_for_end

Method = Callable[..., Response]
# Without `Prefer: wait` the only 200 is a report, so older clients see no change.
_REPORT = OpenApiResponse(
    ValidationResultSerializer,
    description="The report of a dry run. With `Prefer: wait=N` (RFC 7240) and `Preference-Applied` in the response: "
    "the render, which has ended within that time.",
)


def documents_render(
    *statuses: int, request: type[BaseSerializer[Any]] | None = None, reports: bool = False
) -> Callable[[Method], Method]:
    """Document a method that returns a render in the format of the version. reports: 200 is a report instead."""

    def document(method: Method) -> Method:
        for version, serializer_class in ((1, RenderV1Serializer), (2, RenderSerializer)):
            responses: dict[int, Any] = dict.fromkeys(statuses, serializer_class)
            if reports:
                responses[200] = ValidationResultSerializer if version == 1 else _REPORT
            # Typed as strings by the stubs; versions are numbers here.
            versions: list[Any] = [version]
            method = extend_schema(request=request, responses=responses, versions=versions)(method)
        return method

    return document


class SubmittingViewSet(IdempotentMixin, ApiViewSet):
    """Base of the views that submit renders."""

    def submit(self, body_class: type[BaseSerializer[Any]], base: RenderRequest) -> Response:
        """Submit the render of a body: 202 with the render, or 200 with a report for a dry run.

        base: the values that are not in the body, such as the template.
        """
        data = self.request.data
        is_dry_run = isinstance(data, dict) and data.get("dry_run") is True
        if is_dry_run and (base.template is not None or carries_edit(data)):
            report = self.report(body_class, base)
            return self.once(lambda: report)
        body = body_class(data=data)
        body.is_valid(raise_exception=True)
        prepared = prepare_render(owner=self.request.user, request=merge_body(base, body.validated_data))
        response = self.once(lambda: self.accepted(accept_render(owner=self.request.user, prepared=prepared)))
        return self.respond_after_end(response)

    def report(self, body_class: type[BaseSerializer[Any]], base: RenderRequest) -> Response:
        """Return 200 with errors, warnings and estimate, without changing anything.

        Raises ValidationError (422) for a body without an edit.
        """
        body = body_class(data=self.request.data)
        if body.is_valid():
            found = check_render(owner=self.request.user, request=merge_body(base, body.validated_data))
        elif base.template is not None or carries_edit(self.request.data):
            found = ValidationResult(False, list(flatten_errors(body.errors)), [], None)
        else:
            body.is_valid(raise_exception=True)
        return Response(ValidationResultSerializer(found).data)

    def accepted(self, render: Render) -> Response:
        """Return 202 with a new render and its Location."""
        serializer_class = RenderV1Serializer if self._version() == 1 else RenderSerializer
        location = api_path("render-detail", self._version(), id=render.public_id)
        body = serializer_class(render, context={"request": self.request}).data
        headers = {"Location": location, "ETag": str(render_tag(self.request, render))}
        self._submitted = render
        return Response(body, status.HTTP_202_ACCEPTED, headers=headers)

    _submitted: Render | None = None

    def respond_after_end(self, response: Response) -> Response:
        """Wait for the end of the submitted render if the client prefers that, then return its state.

        A repeat with the same idempotency key gets `response`, which was committed before the wait.
        """
        wait_s = preferred_wait_s(self.request.headers.get("Prefer", ""))
        if wait_s is None or self._submitted is None or not is_enabled("long_poll", self._version()):
            return response
        if not wait_for_end(self._submitted, seconds=wait_s):
            return response
        render = Render.objects.without_large_columns().get(pk=self._submitted.pk)
        ended = Response(RenderSerializer(render, context={"request": self.request}).data)
        ended.status_code = status.HTTP_200_OK if render.is_terminal else status.HTTP_202_ACCEPTED
        ended["Location"] = response["Location"]
        ended["ETag"] = str(render_tag(self.request, render))
        ended["Preference-Applied"] = f"wait={wait_s}"
        return ended


def render_tag(request: Request, render: Render, *, position: int | None = None, part: str = "") -> EntityTag:
    """Return the entity tag of a render: strong once it has ended, weak before.

    position: in the queue, if the body shows it, as it changes without the row. part: `edit` or `log`.
    """
    shown = (part, position, None if part else link_context(request))
    return row_tag(request, render, *shown, weak=not render.is_terminal)


def merge_body(base: RenderRequest, body: dict[str, Any]) -> RenderRequest:
    """Return `base` with the members of a validated body."""
    return replace(
        base,
        edit=body.get("edit"),
        template_id=body.get("template"),
        merge=body["merge"],
        project_id=body["project"],
        priority=RenderPriority[body["priority"].upper()],
        run_at=body["run_at"],
        webhook=body["webhook"],
        metadata=body["metadata"],
        strict=body["strict"],
    )
