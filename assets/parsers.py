"""Parser of multipart uploads, which checks Content-Length before it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser

from assets.exceptions import UploadTooLarge
from core.exceptions import InvalidRequest, Unprocessable

# Allowance for boundaries, headers and other fields.
FORM_OVERHEAD_BYTES = 64 * 1024


class UploadParser(MultiPartParser):
    """Parses multipart forms up to the upload limit; large files are streamed to disk."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the fields and files.

        Raises UploadTooLarge before reading, InvalidRequest for a malformed form, Unprocessable for a repeated field.
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
                    detail = "This field may be given only once."
                    raise Unprocessable([{"pointer": f"/{name}", "code": "repeated_field", "detail": detail}], detail)
        return form
