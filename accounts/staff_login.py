"""The login of staff, which bears as many failures as that of the API."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from accounts import services
from accounts.limits import address_block
from core.ratelimit.exceptions import RateLimited


class StaffLoginForm(AuthenticationForm):
    """Name and password. retry_after_s: set where too many attempts have failed."""

    retry_after_s: int | None = None

    def clean(self) -> dict[str, Any]:
        """Check the password, unless too many were wrong."""
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not username or not password:
            checked: dict[str, Any] = super().clean()
            return checked
        attempt = {"username": username, "address": address_block(self.request)}
        try:
            services.begin_login(**attempt)
        except RateLimited as error:
            self.retry_after_s = error.retry_after_s
            text = f"Too many failed logins. Try again in {error.retry_after_s} seconds."
            raise ValidationError(text, code="rate_limited") from error
        checked = super().clean()
        services.forgive_login(**attempt)
        return checked


def log_in_staff(request: HttpRequest) -> HttpResponse:
    """Show the login page and answer its form; 429 where too many attempts have failed."""
    response: HttpResponse = admin.site.login(request)
    form = (getattr(response, "context_data", None) or {}).get("form")
    retry_after_s = getattr(form, "retry_after_s", None)
    if retry_after_s is not None:
        response.status_code = 429
        response["Retry-After"] = str(retry_after_s)
    return response
