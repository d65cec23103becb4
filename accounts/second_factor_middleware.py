"""Middleware that ends admin sessions whose second factor was set up, reset or required since the login."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts import services
from accounts.models import User
from accounts.staff_login import VERIFIED_FACTOR

SESSION_PATHS = ("/admin/", "/internal/")


class SecondFactorMiddleware:
    """Log out sessions that did not verify the second factor that the user has, or must have, now."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request, unauthenticated if the session is not valid.

        Checks only paths that use sessions: probes must not query the database because a browser sends a cookie.
        """
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.path_info.startswith(SESSION_PATHS):
            user = request.user
            if isinstance(user, User) and not _is_good(request.session.get(VERIFIED_FACTOR, ""), user):
                logout(request)
        return self.get_response(request)


def _is_good(verified: str, user: User) -> bool:
    stamp = services.second_factor_stamp(user)
    return verified == stamp and (bool(stamp) or not services.must_enrol(user))
