"""Read uploads, refused by their announced size before a byte is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser

from assets.exceptions import UploadTooLarge
from core.exceptions import InvalidRequest, Unprocessable

# Boundaries, headers and the other fields of the form.
FORM_OVERHEAD_BYTES = 64 * 1024


class UploadParser(MultiPartParser):
    """Multipart forms up to the limit of uploads; large files go to disk as they arrive."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the fields and files.

        Raises UploadTooLarge before reading, InvalidRequest for what is no form, Unprocessable for a field given twice.
        """
        limit: int = settings.RENDEROWL_UPLOAD_LIMIT_BYTES
        request = (parser_context or {})["request"]
        announced = request.META.get("CONTENT_LENGTH") or "0"
        if not announced.isdigit() or int(announced) > limit + FORM_OVERHEAD_BYTES:
            raise UploadTooLarge(limit)
        try:
            form = super().parse(stream, media_type, parser_context)
        except ParseError as error:
            raise InvalidRequest(f"The form cannot be read: {error.detail}.") from error
        for part in (form.data, form.files):
            for name, values in part.lists():
                if len(values) > 1:
                    detail = "This field may be given once."
                    raise Unprocessable([{"pointer": f"/{name}", "code": "repeated_field", "detail": detail}], detail)
        return form
