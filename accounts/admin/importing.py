"""Takes accounts from a CSV file in two steps: first what it would do, then it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin import shown
from accounts.core import roster
from accounts.core.errors import NoKey, Unopened
from accounts.core.roster import BadFile
from accounts.services import importing, vault

# Between the two steps the file travels in the page, sealed: it may hold passwords.
MINUTES = 30
LONGEST_PARCEL = 900_000
# Of a long file the page shows so many lines; the counts are of all.
SHOWN = 500


class CsvFile(forms.Form):
    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> str:
        """Return the text of the file."""
        try:
            return roster.decoded(self.cleaned_data["file"].read(roster.LONGEST_TEXT + 1))
        except BadFile as e:
            raise ValidationError(str(e)) from e


class Importing(admin.ModelAdmin[Any]):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="accounts_account_import"), *super().get_urls()]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    @method_decorator(sensitive_post_parameters("parcel"))
    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        try:
            if "parcel" in request.POST:
                return self._take(request)
            return self._try(request)
        except NoKey:
            return self._page(
                request, refusal=gettext("Set TICKPLANE_ACCOUNT_KEYS: the file may hold passwords.")
            )

    def _try(self, request: HttpRequest) -> HttpResponse:
        """Show what the file would do."""
        if request.method != "POST":
            return self._page(request, form=CsvFile())
        form = CsvFile(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, form=form)
        text = form.cleaned_data["file"]
        report = importing.run(text=text, dry_run=True, actor=shown.actor(request))
        if report.errors:
            return self._page(request, form=CsvFile(), report=report)
        parcel = vault.parcel(text, owner=str(request.user.pk))
        if len(parcel) > LONGEST_PARCEL:
            form.add_error("file", gettext("Too much for one page: split the file."))
            return self._page(request, form=form)
        return self._page(request, report=report, parcel=parcel)

    def _take(self, request: HttpRequest) -> HttpResponse:
        """Do what was shown."""
        owner = str(request.user.pk)
        try:
            text = vault.unwrapped(request.POST["parcel"], owner=owner, within_s=MINUTES * 60)
        except Unopened:
            again = gettext("This page has ended; choose the file again.")
            return self._page(request, form=CsvFile(), refusal=again)
        report = importing.run(text=text, dry_run=False, actor=shown.actor(request))
        if report.errors:
            # Somebody changed the same accounts since.
            return self._page(request, form=CsvFile(), report=report)
        told = gettext("%(created)d created, %(updated)d updated, %(unchanged)d unchanged.") % {
            "created": report.created, "updated": report.updated, "unchanged": report.unchanged,
        }  # fmt: skip
        self.message_user(request, told, level=messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:accounts_account_changelist"))

    def _page(self, request: HttpRequest, **what: Any) -> HttpResponse:
        report = what.get("report")
        page = TemplateResponse(
            request,
            "admin/accounts/account/import.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": gettext("Import CSV"),
                "media": self.media,
                "columns": roster.COLUMNS,
                "most": roster.MOST_ROWS,
                "rows": report.rows[:SHOWN] if report else (),
                "more": max(0, len(report.rows) - SHOWN) if report else 0,
                **what,
            },
        )
        add_never_cache_headers(page)
        return page
