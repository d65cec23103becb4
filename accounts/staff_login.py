"""The login of staff: name and password, then a code where the account has a second factor or must have one.

Nobody is logged in before the last step: until then the session only remembers who has shown a password.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth import login as start_session
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import services
from accounts.authentication import client_address
from accounts.exceptions import CodeRefused
from accounts.limits import address_block
from accounts.models import User
from accounts.tokens import password_stamp
from api.ratelimit.exceptions import RateLimited

# In the session: which second factor was proved, and who is half way in.
VERIFIED_FACTOR = "second_factor"
_PENDING = "pending_login"
_PENDING_S = 600


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
            services.record_login_attempt(**attempt)
        except RateLimited as error:
            self.retry_after_s = error.retry_after_s
            raise throttled_error(error) from error
        try:
            checked = super().clean()
        except ValidationError:
            services.record_failed_staff_login(username=username, address=client_address(self.request))
            raise
        user = self.get_user()
        if not services.needs_second_factor(user):
            # Before the code is right nothing is forgiven, or whoever has the password could guess codes for ever.
            services.reset_login_throttle(**attempt)
        return checked


def throttled_error(error: RateLimited) -> ValidationError:
    """Return what a form says of too many attempts."""
    return ValidationError(f"Too many failed logins. Try again in {error.retry_after_s} seconds.", code="rate_limited")


class StaffLoginView(LoginView):
    """The first step."""

    authentication_form = StaffLoginForm
    template_name = "admin/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or lead on who is logged in."""
        if admin.site.has_permission(request):
            return redirect("admin:index")
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_default_redirect_url(self) -> str:
        """Lead to the first page of the admin."""
        return reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the theme's page wants."""
        context = {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}
        return {**context, "title": "Log in", "subtitle": None, "app_path": self.request.get_full_path()}

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, or go on to the second step."""
        user = form.get_user()
        if not services.needs_second_factor(user):
            return finish_login(self.request, user, self.get_success_url())
        self.request.session[_PENDING] = {
            "user": str(user.pk),
            "stamp": password_stamp(user),
            "next": self.get_success_url(),
            "until": time.time() + _PENDING_S,
        }
        return redirect("second-factor" if services.must_enrol(user) else "staff-code")

    def form_invalid(self, form: Any) -> HttpResponse:
        """Show what is wrong; 429 where too many attempts have failed."""
        response: HttpResponse = super().form_invalid(form)
        return with_retry_after(response, form.retry_after_s)


def with_retry_after(response: HttpResponse, retry_after_s: int | None) -> HttpResponse:
    """Make a page a 429 where there is a time to wait."""
    if retry_after_s is not None:
        response.status_code = 429
        response["Retry-After"] = str(retry_after_s)
    return response


def pending_user(request: HttpRequest) -> User | None:
    """Return who has shown a password in this session and not yet a code."""
    pending = request.session.get(_PENDING)
    if not pending or pending["until"] < time.time():
        return None
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True, is_staff=True).first()
    return user if user is not None and password_stamp(user) == pending["stamp"] else None


def finish_login(request: HttpRequest, user: User, url: str) -> HttpResponse:
    """Log in for good: all that the account asks for has been shown."""
    request.session.pop(_PENDING, None)
    start_session(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[VERIFIED_FACTOR] = stamp = services.second_factor_stamp(user)
    services.record_staff_login(user=user, address=client_address(request), second_factor=bool(stamp))
    return redirect(url)


def next_url(request: HttpRequest) -> str:
    """Return where the half-finished login was to lead."""
    pending = request.session.get(_PENDING) or {}
    return str(pending.get("next") or reverse("admin:index"))


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        max_length=40,
        strip=True,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": "", "spellcheck": "false"}
        ),
    )
    retry_after_s: int | None = None

    def refuse(self, error: CodeRefused | RateLimited) -> None:
        """Say why the code was not taken."""
        if isinstance(error, RateLimited):
            self.retry_after_s = error.retry_after_s
            self.add_error(None, throttled_error(error))
        else:
            self.add_error("code", "This code is not right, or was used before.")


class StaffCodeView(View):
    """The second step: a code."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        if pending_user(request) is None:
            return redirect("admin:login")
        return self._page(request, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check the code."""
        user = pending_user(request)
        if user is None:
            return redirect("admin:login")
        form = CodeForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        attempt = {"username": user.username, "address": address_block(request)}
        try:
            services.record_login_attempt(**attempt)
            services.verify_second_factor(user=user, code=form.cleaned_data["code"], address=client_address(request))
        except (CodeRefused, RateLimited) as error:
            form.refuse(error)
            return with_retry_after(self._page(request, form), form.retry_after_s)
        services.reset_login_throttle(**attempt)
        return finish_login(request, user, next_url(request))

    def _page(self, request: HttpRequest, form: CodeForm) -> HttpResponse:
        context = {**admin.site.each_context(request), "title": "Enter a code", "form": form}
        return TemplateResponse(request, "admin/accounts/second_factor/code.html", context)
