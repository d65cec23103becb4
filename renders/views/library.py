"""Views of projects and templates."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.routing import api_path
from api.views import ApiViewSet
from renders.filters import ProjectFilterSet, TemplateFilterSet
from renders.models import Project, Template, TemplateVersion
from renders.requests import RenderRequest
from renders.serializers.projects import (
    ProjectChangeSerializer,
    ProjectCreateSerializer,
    ProjectSerializer,
    TemplateChangeSerializer,
    TemplateListSerializer,
    TemplateSerializer,
    TemplateVersionSerializer,
    TemplateWriteSerializer,
)
from renders.serializers.requests import TemplateRenderSerializer
from renders.services.library import (
    change_project,
    change_template,
    create_project,
    create_template,
    delete_project,
    delete_template,
)
from renders.views.submission import SubmittingViewSet, documents_render


class ProjectViewSet(ListModelMixin, RetrieveModelMixin, IdempotentMixin, ApiViewSet):
    """Folders for renders, templates and assets."""

    queryset = Project.objects.all()
    filterset_class = ProjectFilterSet
    serializers = {
        "default": ProjectSerializer,
        "create": ProjectCreateSerializer,
        "partial_update": ProjectChangeSerializer,
    }
    endpoints = {
        "list": Endpoint("renders:read", cache_tags=("projects",)),
        "retrieve": Endpoint("renders:read", row_etag=True),
        "create": Endpoint("renders:write"),
        "partial_update": Endpoint("renders:write"),
        "destroy": Endpoint("renders:write"),
    }

    @extend_schema(request=ProjectCreateSerializer, responses={201: ProjectSerializer})
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create a project."""
        body = self.validated(ProjectCreateSerializer)
        return self.once(lambda: self._created(create_project(owner=request.user, **body)))

    def _created(self, project: Project) -> Response:
        location = api_path("project-detail", self._version(), id=project.public_id)
        headers = {"Location": location, **self.tag_headers(project)}
        return Response(ProjectSerializer(project).data, status.HTTP_201_CREATED, headers=headers)

    @extend_schema(request=ProjectChangeSerializer, responses=ProjectSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change name, description or metadata of a project."""
        project = self.get_object()
        changes = self.validated(ProjectChangeSerializer)
        with self.unchanged(project):
            changed = change_project(project=project, changes=changes)
        return Response(ProjectSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete a project; its renders, templates and assets stay, without a project."""
        project = self.get_object()
        with self.unchanged(project):
            delete_project(project=project)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _template_changes(body: dict[str, Any]) -> dict[str, Any]:
    names = {"project": "project_id", "merge": "merge_defaults"}
    return {names.get(name, name): value for name, value in body.items()}


class TemplateViewSet(ListModelMixin, RetrieveModelMixin, SubmittingViewSet):
    """Reusable edits with placeholders."""

    queryset = Template.objects.all()
    requires_if_match = True
    filterset_class = TemplateFilterSet
    serializers = {"default": TemplateSerializer, "list": TemplateListSerializer}
    endpoints = {
        "list": Endpoint("templates:read", cache_tags=("templates",)),
        "retrieve": Endpoint("templates:read", row_etag=True),
        "create": Endpoint("templates:write"),
        "update": Endpoint("templates:write"),
        "partial_update": Endpoint("templates:write"),
        "destroy": Endpoint("templates:write"),
        "render": Endpoint("renders:write", operation="create_render"),
    }

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's templates, without their edits in lists."""
        rows = super().get_queryset()
        return rows.defer("edit", "merge_defaults") if self.action == "list" else rows

    @extend_schema(request=TemplateWriteSerializer, responses={201: TemplateSerializer})
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Create a template."""
        body = self.validated(TemplateWriteSerializer)
        body["project_id"] = body.pop("project")
        answer = self.respond_with(self._created)
        create_template(owner=request.user, before_commit=answer, **body)
        return answer.response

    def _created(self, template: Template) -> Response:
        location = api_path("template-detail", self._version(), id=template.public_id)
        headers = {"Location": location, **self.tag_headers(template)}
        return Response(TemplateSerializer(template).data, status.HTTP_201_CREATED, headers=headers)

    @extend_schema(request=TemplateWriteSerializer, responses=TemplateSerializer)
    def update(self, request: Request, **kwargs: Any) -> Response:
        """Replace a template; a change of the edit or its defaults adds a version."""
        template = self.get_object()
        body = {"description": "", "merge": {}, **self.validated(TemplateWriteSerializer)}
        return self._changed_by(template, _template_changes(body))

    @extend_schema(request=TemplateChangeSerializer, responses=TemplateSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change parts of a template; a change of the edit or its defaults adds a version."""
        template = self.get_object()
        return self._changed_by(template, _template_changes(self.validated(TemplateChangeSerializer)))

    def _changed_by(self, template: Template, changes: dict[str, Any]) -> Response:
        changed = change_template(template=template, changes=changes, begin=self.version_check(template))
        self.note_changed(changed)
        return Response(TemplateSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete a template and its versions; its renders stay."""
        template = self.get_object()
        with self.unchanged(template):
            delete_template(template=template)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @documents_render(202, request=TemplateRenderSerializer, reports=True)
    @idempotent
    def render(self, request: Request, **kwargs: Any) -> Response:
        """Submit a render of the current version of the template."""
        template = self.get_object()
        return self.submit(TemplateRenderSerializer, RenderRequest(template=template))


class TemplateVersionViewSet(ListModelMixin, ApiViewSet):
    """Versions of a template, newest first."""

    queryset = TemplateVersion.objects.all()
    # Tagged as templates: a version is only added with a change of its template.
    serializers = {"default": TemplateVersionSerializer}
    endpoints = {
        "list": Endpoint("templates:read", cache_tags=("templates",)),
    }
    ordering = "-number"
    ordering_fields = ("number",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the versions of the caller's template."""
        if getattr(self, "swagger_fake_view", False):
            return TemplateVersion.objects.none()
        return TemplateVersion.objects.filter(template=self._template())

    def _template(self) -> Template:
        """Return the template of the URL, or raise NotFound."""
        parents = TemplateViewSet(request=self.request, kwargs=self.kwargs, action="retrieve")
        template: Template = parents.get_object()
        return template
