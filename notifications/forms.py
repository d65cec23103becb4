"""Forms of the admin."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from core.ids import uuid7
from notifications.models.inbox import BODY_LENGTH, TITLE_LENGTH, plan_choices

MAX_USERNAMES = 1000


class BroadcastForm(forms.Form):
    """A notification and its recipients. The hidden token makes a double submit one broadcast."""

    title = forms.CharField(max_length=TITLE_LENGTH, widget=UnfoldAdminTextInputWidget)
    body = forms.CharField(max_length=BODY_LENGTH, required=False, widget=UnfoldAdminTextareaWidget)
    plan = forms.ChoiceField(
        choices=lambda: [("", "every plan"), *plan_choices()], required=False, widget=UnfoldAdminSelectWidget
    )
    usernames = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text=f"Up to {MAX_USERNAMES} user names, separated by spaces, commas or lines. Empty: all on the plan.",
    )
    token = forms.UUIDField(initial=uuid7, widget=forms.HiddenInput)

    def clean_usernames(self) -> list[str]:
        """Return the sorted names; raise ValidationError for too many or unknown ones."""
        names = sorted(set(re.split(r"[\s,]+", self.cleaned_data["usernames"])) - {""})
        if len(names) > MAX_USERNAMES:
            raise forms.ValidationError(f"At most {MAX_USERNAMES} user names are allowed, not {len(names)}.")
        known = set(User.objects.filter(username__in=names).values_list("username", flat=True))
        if missing := [name for name in names if name not in known]:
            raise forms.ValidationError(f"Unknown users: {', '.join(missing[:5])}.")
        return names

    def broadcast(self) -> dict[str, Any]:
        """Return the arguments of `send_broadcast`, except the actor."""
        return {name: self.cleaned_data[name] for name in ("token", "title", "body", "plan", "usernames")}
