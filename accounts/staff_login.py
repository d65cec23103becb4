"""Staff login views: password first, then a code if the account has or needs a second factor.

The user is logged in only after the last step; until then the session stores a pending login.
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

# Session keys: the stamp of the verified second factor, and the pending login.
VERIFIED_FACTOR = "second_factor"
_PENDING = "pending_login"
_PENDING_S = 600


class StaffLoginForm(AuthenticationForm):
    """Username and password. retry_after_s: set after too many failed attempts."""

    retry_after_s: int | None = None

    def clean(self) -> dict[str, Any]:
        """Check the password, unless logins are throttled."""
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
            # Else only a right code resets the throttle, or an attacker with the password could guess codes forever.
            services.reset_login_throttle(**attempt)
        return checked


def throttled_error(error: RateLimited) -> ValidationError:
    """Return the form error of a throttled login."""
    return ValidationError(f"Too many failed logins. Try again in {error.retry_after_s} seconds.", code="rate_limited")


class StaffLoginView(LoginView):
    """First step: username and password."""

    authentication_form = StaffLoginForm
    template_name = "admin/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or redirect a user who is logged in."""
        if admin.site.has_permission(request):
            return redirect("admin:index")
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_default_redirect_url(self) -> str:
        """Return the URL of the admin index."""
        return reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the context of the admin theme."""
        context = {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}
        return {**context, "title": "Log in", "subtitle": None, "app_path": self.request.get_full_path()}

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, or redirect to the second step."""
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
        """Show the errors; with status 429 if logins are throttled."""
        response: HttpResponse = super().form_invalid(form)
        return with_retry_after(response, form.retry_after_s)


def with_retry_after(response: HttpResponse, retry_after_s: int | None) -> HttpResponse:
    """Turn the response into a 429 if there is a delay."""
    if retry_after_s is not None:
        response.status_code = 429
        response["Retry-After"] = str(retry_after_s)
    return response


def pending_user(request: HttpRequest) -> User | None:
    """Return the user whose login in this session still needs a code, if it has not expired."""
    pending = request.session.get(_PENDING)
    if not pending or pending["until"] < time.time():
        return None
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True, is_staff=True).first()
    return user if user is not None and password_stamp(user) == pending["stamp"] else None


def finish_login(request: HttpRequest, user: User, url: str) -> HttpResponse:
    """Log the user in, after all steps, and redirect to a URL."""
    request.session.pop(_PENDING, None)
    start_session(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[VERIFIED_FACTOR] = stamp = services.second_factor_stamp(user)
    services.record_staff_login(user=user, address=client_address(request), second_factor=bool(stamp))
    return redirect(url)


def next_url(request: HttpRequest) -> str:
    """Return the URL to redirect to after the pending login."""
    pending = request.session.get(_PENDING) or {}
    return str(pending.get("next") or reverse("admin:index"))


class CodeForm(forms.Form):
    """Code of the app, or a recovery code. retry_after_s: set after too many failed attempts."""

    code = forms.CharField(
        max_length=40,
        strip=True,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": "", "spellcheck": "false"}
        ),
    )
    retry_after_s: int | None = None

    def refuse(self, error: CodeRefused | RateLimited) -> None:
        """Add the error of a refused code."""
        if isinstance(error, RateLimited):
            self.retry_after_s = error.retry_after_s
            self.add_error(None, throttled_error(error))
        else:
            self.add_error("code", "This code is not right, or was already used.")


class StaffCodeView(View):
    """Second step: a code."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or redirect to the first step."""
        if pending_user(request) is None:
            return redirect("admin:login")
        return self._page(request, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check the code and finish the login."""
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
