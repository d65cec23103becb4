"""Forms of the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from core.ids import uuid7
from credits.pricing import parse_credits


def new_reference() -> str:
    """Return a new reference for a movement by staff."""
    return f"staff:{uuid7()}"


class CreditMovementForm(forms.Form):
    """Amount to add or deduct. The hidden reference makes submitting the form twice safe."""

    amount = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="Credits, e.g. 25 or 0.50. A negative amount deducts credits.",
    )
    note = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Reason, shown to the user.")
    reference = forms.RegexField(r"^staff:[0-9a-f-]{36}$", initial=new_reference, widget=forms.HiddenInput)

    def clean_amount(self) -> int:
        """Return the amount in hundredths; refuse 0."""
        try:
            hundredths = parse_credits(self.cleaned_data["amount"])
        except ValueError as error:
            raise forms.ValidationError(f"This is not an amount: {error}.") from error
        if hundredths == 0:
            raise forms.ValidationError("The amount must not be 0.")
        return hundredths

    def movement(self) -> dict[str, Any]:
        """Return amount, note and reference as keyword arguments for a service."""
        return {name: self.cleaned_data[name] for name in ("amount", "note", "reference")}
