"""What an operator types about an account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import check_text
from accounts.models import Account
from accounts.services import vault

# What a CSV file holds of an account, too.
TEXTS = ("server", "label", "source", "currency")


class AccountForm(forms.ModelForm[Account]):
    """The password goes in and never comes out: the page says only whether one is kept."""

    password = forms.CharField(
        label=_("New password"),
        required=False,
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=_(
            "The read-only one. It is kept encrypted and never shown again; empty leaves what is"
            " kept. A terminal that pushes needs none."
        ),
    )
    forget_password = forms.BooleanField(label=_("Remove the kept password"), required=False)

    class Meta:
        model = Account
        fields = (
            "server", "login", "label", "group", "tags", "provider", "source", "currency",
            "leverage", "account_s", "update_s", "positions_s", "orders_s",
        )  # fmt: skip

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in TEXTS:
            try:
                check_text(str(self.cleaned_data.get(name, "")))
            except ValidationError as e:
                self.add_error(name, e)
        if self.cleaned_data.get("password"):
            if self.cleaned_data.get("forget_password"):
                raise ValidationError(
                    {"forget_password": gettext("Type a new password or remove it, not both.")}
                )
            if not vault.has_key():
                raise ValidationError(
                    {"password": gettext("No password can be kept: set TICKPLANE_ACCOUNT_KEYS.")}
                )
        return cleaned
