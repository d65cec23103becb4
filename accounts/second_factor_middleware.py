"""Sessions of staff do not outlive the second factor that they began with, or without."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts import services
from accounts.models import User
from accounts.staff_login import VERIFIED_FACTOR

# What a session of the admin opens.
SESSION_PATHS = ("/admin/", "/internal/")


class SecondFactorMiddleware:
    """End a session that proved less than its user's account asks for now, or a second factor that is gone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request, as nobody's where the session falls short.

        Only where sessions count: a probe must not ask the database because a browser happens to send a cookie along.
        """
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.path_info.startswith(SESSION_PATHS):
            user = request.user
            if isinstance(user, User) and not _is_good(request.session.get(VERIFIED_FACTOR, ""), user):
                logout(request)
        return self.get_response(request)


def _is_good(verified: str, user: User) -> bool:
    stamp = services.second_factor_stamp(user)
    return verified == stamp and (bool(stamp) or not services.must_enrol(user))
