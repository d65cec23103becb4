"""Views of `/internal/jobs`, for staff and their programs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.idempotency.views import IdempotentMixin, idempotent
from api.permissions import HasScope, IsStaff
from api.views import ApiViewSet
from core.exceptions import InvalidState
from jobs import services
from jobs.filters import JobFilterSet
from jobs.models import Job
from jobs.serializers import JobDetailSerializer, JobSerializer
from jobs.states import JobStatus


class JobViewSet(IdempotentMixin, ApiViewSet):
    """List, show, retry and cancel the jobs of all accounts."""

    queryset = Job.objects.all()
    filterset_class = JobFilterSet
    permission_classes = (HasScope, IsStaff)
    endpoints: ClassVar = {
        "list": Endpoint("jobs:read"),
        "retrieve": Endpoint("jobs:read", row_etag=True),
        "retry": Endpoint("jobs:write"),
        "cancel": Endpoint("jobs:write"),
    }
    serializers: ClassVar = {"default": JobDetailSerializer, "list": JobSerializer}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the jobs of all accounts, as only staff have access; a list omits the large columns."""
        return Job.objects.defer("payload", "result") if self.action == "list" else Job.objects.all()

    def list(self, request: Request) -> Response:
        """List jobs, newest first."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 - the name in the URL
        """Show a job with its attempts."""
        return self._response(self.get_object())

    @idempotent
    def retry(self, request: Request, id: str) -> Response:  # noqa: A002
        """Queue a dead job again."""
        job = self.get_object()
        return self.once(lambda: self._response(services.retry_job(job_id=job.pk, actor=request.user)))

    def cancel(self, request: Request, id: str) -> Response:  # noqa: A002
        """Cancel a waiting job, or ask a running one to stop; 409 for a succeeded or dead one."""
        job = services.cancel_job(job_id=self.get_object().pk, actor=request.user)
        if job.status in {JobStatus.SUCCEEDED, JobStatus.DEAD}:
            raise InvalidState(f"The job is {job.status}.")
        return self._response(job)

    def _response(self, job: Job) -> Response:
        return Response(self.get_serializer(job).data)
