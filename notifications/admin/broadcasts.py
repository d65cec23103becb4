"""Admin of broadcasts: the list, and a form with a preview that sends one."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from accounts.models import User
from core.admin import ReadOnlyAdmin
from notifications.forms import BroadcastForm
from notifications.models import Broadcast
from notifications.selectors import recipients_of
from notifications.services.broadcasts import send_broadcast


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnlyAdmin):
    """Read-only list of broadcasts and their progress."""

    list_display = ("created_at", "title", "actor", "plan", "recipients", "finished_at")
    list_display_links = ("created_at", "title")
    list_filter = ("plan", "created_at")
    search_fields = ("title", "=actor__username")
    list_select_related = ("actor",)
    raw_id_fields = ("actor",)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = ("public_id", "created_at", "actor", "title", "body", "plan", "usernames", "recipients", "finished_at")
    actions_list = ("compose_broadcast",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may send broadcasts."""
        return request.user.has_perm("notifications.send_broadcast")

    @action(description="Send a notification", permissions=["send"], url_path="send", icon="campaign")  # type: ignore[untyped-decorator]
    def compose_broadcast(self, request: HttpRequest) -> HttpResponse:
        """Show the form, then a preview with the number of recipients; send the broadcast on confirmation."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        form = BroadcastForm(request.POST or None)
        recipient_count = None
        if request.method == "POST" and form.is_valid():
            if "confirm" in request.POST:
                return self._send(request, form)
            fields = form.broadcast()
            recipient_count = recipients_of(Broadcast(plan=fields["plan"], usernames=fields["usernames"])).count()
        context = {
            **self.admin_site.each_context(request),
            "title": "Send a notification",
            "opts": self.opts,
            "form": form,
            "recipient_count": recipient_count,
        }
        return TemplateResponse(request, "admin/notifications/broadcast/send.html", context)

    def _send(self, request: HttpRequest, form: BroadcastForm) -> HttpResponse:
        assert isinstance(request.user, User)
        broadcast = send_broadcast(actor=request.user, **form.broadcast())
        self.message_user(request, "The notification is being sent.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:notifications_broadcast_change", args=[broadcast.pk]))
