"""What staff fill in."""

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
    """A notification and who gets it. The hidden token makes a form sent twice one broadcast."""

    title = forms.CharField(max_length=TITLE_LENGTH, widget=UnfoldAdminTextInputWidget)
    body = forms.CharField(max_length=BODY_LENGTH, required=False, widget=UnfoldAdminTextareaWidget)
    plan = forms.ChoiceField(
        choices=lambda: [("", "every plan"), *plan_choices()], required=False, widget=UnfoldAdminSelectWidget
    )
    usernames = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text=f"Up to {MAX_USERNAMES} user names, divided by spaces, commas or lines. Empty: everyone on the plan.",
    )
    token = forms.UUIDField(initial=uuid7, widget=forms.HiddenInput)

    def clean_usernames(self) -> list[str]:
        """Return the names, all of which exist."""
        names = sorted(set(re.split(r"[\s,]+", self.cleaned_data["usernames"])) - {""})
        if len(names) > MAX_USERNAMES:
            raise forms.ValidationError(f"These are {len(names)} names.")
        known = set(User.objects.filter(username__in=names).values_list("username", flat=True))
        if missing := [name for name in names if name not in known]:
            raise forms.ValidationError(f"There is no user {', '.join(missing[:5])}.")
        return names

    def broadcast(self) -> dict[str, Any]:
        """Return the arguments of the service."""
        return {name: self.cleaned_data[name] for name in ("token", "title", "body", "plan", "usernames")}
