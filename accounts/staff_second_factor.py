"""Admin page to set up a second factor, renew its recovery codes, or turn it off."""

from __future__ import annotations

from typing import Any

import segno
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString, mark_safe
from django.views import View
from django.views.decorators.cache import never_cache

from accounts import services, totp
from accounts.authentication import client_address
from accounts.exceptions import CodeRefused, SecondFactorExists
from accounts.flash import flash_secret, pop_secret
from accounts.models import SecondFactor, User
from accounts.staff_login import VERIFIED_FACTOR, CodeForm, finish_login, next_url, pending_user, with_retry_after
from api.ratelimit.exceptions import RateLimited

_SALT = "second_factor_salt"
_CODES = "recovery_codes"


@method_decorator(never_cache, name="dispatch")
class SecondFactorView(View):
    """Enrolment with a QR code, or management of an existing second factor."""

    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Allow staff, and users who must enrol to complete their login."""
        user = request.user if admin.site.has_permission(request) else pending_user(request)
        if not isinstance(user, User) or (user != request.user and not services.must_enrol(user)):
            return redirect("admin:login")
        self.user = user
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the page, or the recovery codes right after they were created."""
        codes = pop_secret(request, name=_CODES)
        if codes is not None:
            return self._page("codes", title="Save these codes", codes=codes.split())
        return self._show(CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Run the submitted action, if the code is right."""
        form = CodeForm(request.POST)
        actions = {"enrol": self._enrol, "renew": self._renew}
        if not services.requires_second_factor(self.user):
            actions["disable"] = self._disable
        action = actions.get(request.POST.get("action", ""))
        if action is None or not form.is_valid():
            return self._show(form)
        try:
            return action(form.cleaned_data["code"])
        except (CodeRefused, RateLimited) as error:
            form.refuse(error)
            return with_retry_after(self._show(form), form.retry_after_s)
        except SecondFactorExists:
            return redirect("second-factor")

    def _enrol(self, code: str) -> HttpResponse:
        salt = self.request.session.get(_SALT)
        if salt is None:
            return redirect("second-factor")
        codes = services.enrol_second_factor(user=self.user, salt=salt, code=code, address=self._address)
        if self.request.user != self.user:
            finish_login(self.request, self.user, next_url(self.request))
        self.request.session.pop(_SALT, None)
        self.request.session[VERIFIED_FACTOR] = services.second_factor_stamp(self.user)
        return self._with_codes(codes)

    def _renew(self, code: str) -> HttpResponse:
        services.verify_second_factor(user=self.user, code=code, address=self._address)
        return self._with_codes(services.renew_recovery_codes(user=self.user, address=self._address))

    def _disable(self, code: str) -> HttpResponse:
        services.verify_second_factor(user=self.user, code=code, address=self._address)
        services.remove_second_factor(user=self.user, actor=self.user, address=self._address)
        self.request.session[VERIFIED_FACTOR] = ""
        messages.success(self.request, "The second factor is off.")
        return redirect("admin:index")

    @property
    def _address(self) -> str | None:
        return client_address(self.request)

    def _with_codes(self, codes: list[str]) -> HttpResponse:
        url = reverse("second-factor")
        response = redirect(url)
        flash_secret(self.request, response, name=_CODES, text=" ".join(codes), path=url)
        return response

    def _show(self, form: CodeForm) -> HttpResponse:
        factor = SecondFactor.objects.filter(user=self.user).first()
        if factor is not None:
            unused = factor.recovery_codes.filter(used_at=None).count()
            required = services.requires_second_factor(self.user)
            return self._page(
                "manage", title="Second factor", form=form, factor=factor, codes_left=unused, required=required
            )
        salt = self.request.session.setdefault(_SALT, totp.new_salt())
        secret = totp.secret_of(salt)
        return self._page(
            "enrol",
            title="Set up a second factor",
            form=form,
            picture=_qr_code(totp.enrolment_uri(secret, self.user.username)),
            secret=totp.secret_text(secret),
        )

    def _page(self, name: str, **context: Any) -> HttpResponse:
        context = {**admin.site.each_context(self.request), **context, "next_url": reverse("admin:index")}
        return TemplateResponse(self.request, f"admin/accounts/second_factor/{name}.html", context)


def _qr_code(text: str) -> SafeString:
    """Return a QR code as inline SVG: it holds a secret, which must not have a URL."""
    drawn = segno.make(text, error="m", micro=False).svg_inline(scale=5, border=4, dark="#000", light="#fff")
    return mark_safe(drawn)  # noqa: S308 - segno draws paths only, no text
