"""Views of assets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import row_tag
from api.endpoints import Endpoint
from api.etags import EntityTag
from api.idempotency.views import IdempotentMixin, idempotent
from api.parsers import JsonParser
from api.routing import api_path
from api.views import ApiViewSet
from assets import services
from assets.filters import AssetFilterSet
from assets.models import Asset, AssetHold, AssetStatus
from assets.parsers import UploadParser
from assets.serializers import (
    AssetChangeSerializer,
    AssetImportSerializer,
    AssetReferenceSerializer,
    AssetSerializer,
    AssetUploadSerializer,
)
from core.models import VersionedModel
from files.links import link_context


class AssetViewSet(ListModelMixin, RetrieveModelMixin, IdempotentMixin, ApiViewSet):
    """Media files that edits use."""

    queryset = Asset.objects.with_references()
    filterset_class = AssetFilterSet
    parser_classes = [JsonParser, UploadParser]
    serializers = {"default": AssetSerializer, "references": AssetReferenceSerializer}
    endpoints = {
        "list": Endpoint("assets:read", cache_tags=("assets",)),
        "create": Endpoint("assets:write"),
        "retrieve": Endpoint("assets:read", row_etag=True),
        "partial_update": Endpoint("assets:write"),
        "destroy": Endpoint("assets:delete"),
        "references": Endpoint("assets:read", cache_tags=("assets",)),
    }

    @extend_schema(
        request={"multipart/form-data": AssetUploadSerializer, "application/json": AssetImportSerializer},
        responses={201: AssetSerializer, 202: AssetSerializer},
    )
    @idempotent
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Upload a file (201, ready) or import one from a URL (202, pending)."""
        if (request.content_type or "").startswith("multipart/"):
            answer = self.respond_with(self._created)
            services.create_from_upload(
                user=request.user, before_commit=answer, **self.validated(AssetUploadSerializer)
            )
            return answer.response
        wanted = services.AssetImport(**self.validated(AssetImportSerializer))
        return self.once(lambda: self._created(services.create_from_url(user=request.user, request=wanted)))

    def _created(self, asset: Asset) -> Response:
        http_status = status.HTTP_201_CREATED if asset.status == AssetStatus.READY else status.HTTP_202_ACCEPTED
        location = api_path("asset-detail", int(self.request.version or 1), id=asset.public_id)
        headers = {"Location": location, **self.tag_headers(asset)}
        return Response(self.get_serializer(asset).data, http_status, headers=headers)

    def entity_tag(self, row: VersionedModel) -> EntityTag:
        """Return the ETag of an asset, which also depends on its links and the number of references."""
        return row_tag(self.request, row, getattr(row, "references", 0), link_context(self.request))

    @extend_schema(request=AssetChangeSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change the name or the project of an asset."""
        asset = self.get_object()
        changes = self.validated(AssetChangeSerializer)
        with self.unchanged(asset):
            services.update_asset(asset=asset, changes=changes)
        return Response(self.get_serializer(asset).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete an asset, unless active renders use it."""
        asset = self.get_object()
        with self.unchanged(asset):
            services.delete_asset(asset=asset)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=AssetReferenceSerializer(many=True), filters=False)
    def references(self, request: Request, **kwargs: Any) -> Response:
        """List the active renders that use an asset."""
        holds = AssetHold.objects.filter(asset=self.get_object())
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(holds), many=True).data)
