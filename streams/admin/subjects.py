"""How the subject of each type of data is built: one page, a line for each type."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext

from streams.admin import shown
from streams.admin.pages import page, reason
from streams.admin.records import Styles
from streams.core.errors import StreamsError
from streams.core.templates import LONGEST, TYPES
from streams.models import SubjectTemplate
from streams.services import templates


@admin.register(SubjectTemplate)
class SubjectTemplateAdmin(admin.ModelAdmin[SubjectTemplate]):
    class Media(Styles):
        pass

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # There is a line for each type already.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return HttpResponseRedirect(reverse("admin:streams_subjecttemplate_changelist"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._edit(request)
        return self._page(request)

    def _edit(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        data_type = request.POST.get("data_type", "")
        template = request.POST.get("template", "").strip()[: LONGEST + 1]
        if data_type not in TYPES:
            return self._page(request, refusal=gettext("There is no such type of data."))
        try:
            if "reset" in request.POST:
                templates.reset(data_type=data_type, actor=shown.actor(request))
            else:
                templates.edit(data_type=data_type, template=template, actor=shown.actor(request))
        except StreamsError as e:
            return self._page(request, typed=(data_type, template), refusal=reason(e))
        told = gettext("The subjects of %(type)s are built anew from now on.")
        self.message_user(request, told % {"type": data_type}, level=messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:streams_subjecttemplate_changelist"))

    def _page(
        self, request: HttpRequest, typed: tuple[str, str] = ("", ""), refusal: str = ""
    ) -> HttpResponse:
        return page(
            self,
            request,
            "subjecttemplate/change_list.html",
            title=capfirst(str(self.opts.verbose_name_plural)),
            rows=[
                {
                    "row": row,
                    "text": typed[1] if row.data_type == typed[0] else row.template,
                    "changed": row.template != row.default,
                }
                for row in templates.rows()
            ],
            refusal=refusal,
            longest=LONGEST,
            may_change=self.has_change_permission(request),
        )
