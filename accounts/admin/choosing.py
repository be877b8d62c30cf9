"""Actions that ask one more thing before they act: into which group, which tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin import shown
from accounts.forms import check_tag
from accounts.models import Account, AccountGroup, Tag
from accounts.services import roster


class GroupChoice(forms.Form):
    group = forms.ModelChoiceField(
        AccountGroup.objects.all(), label=_("Group"), required=False, empty_label=_("no group")
    )


class TagChoice(forms.Form):
    tag = forms.CharField(
        label=_("Tag"),
        max_length=64,
        help_text=_("One that is not there yet is made."),
        validators=[check_tag],
    )


class Choosing(admin.ModelAdmin[Any]):
    @admin.action(description=_("Set the group…"), permissions=["change"])
    def set_group(self, request: HttpRequest, accounts: QuerySet[Account]) -> HttpResponse | None:
        def act(form: forms.Form) -> int:
            group = form.cleaned_data["group"]
            return roster.set_group(accounts=accounts, group=group, actor=shown.actor(request))

        return self._ask(request, accounts, GroupChoice, act)

    @admin.action(description=_("Add a tag…"), permissions=["change"])
    def add_tag(self, request: HttpRequest, accounts: QuerySet[Account]) -> HttpResponse | None:
        def act(form: forms.Form) -> int:
            tag, _made = Tag.objects.get_or_create(name=form.cleaned_data["tag"])
            return roster.add_tag(accounts=accounts, tag=tag, actor=shown.actor(request))

        return self._ask(request, accounts, TagChoice, act)

    def _ask(
        self,
        request: HttpRequest,
        accounts: QuerySet[Account],
        form_class: type[forms.Form],
        act: Callable[[forms.Form], int],
    ) -> HttpResponse | None:
        """Show the form, or act and return None, which leads back to the list."""
        form = form_class(request.POST if "apply" in request.POST else None)
        if form.is_valid():
            count = act(form)
            told = ngettext("%(count)d account changed.", "%(count)d accounts changed.", count)
            level = messages.SUCCESS if count else messages.WARNING
            self.message_user(request, told % {"count": count}, level=level)
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": dict(self.get_action_choices(request))[request.POST["action"]],
            "count": accounts.count(),
            "form": form,
            "media": self.media,
            "action": request.POST["action"],
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "chosen": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/accounts/choose.html", context)
