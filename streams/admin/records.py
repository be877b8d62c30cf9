"""What pages have in common: those that only show, and those whose every change is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams import services
from streams.admin import shown
from streams.admin.pages import Beside, reason, tell
from streams.core.errors import BadDefinition, StreamsError
from streams.core.fields import Field
from streams.forms import declared
from streams.services import importing, lag, records


class Styles:
    css = {"all": ["streams/admin.css"]}


class Written(Beside):
    """Rows that nobody adds, alters or deletes by hand."""

    show_full_result_count = False  # A table of events is too long to count on each look.
    list_per_page = 50

    class Media(Styles):
        pass

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Tried(forms.ModelForm[Any]):
    """Right only when the service would take it; `trial` asks it and keeps nothing."""

    trial: ClassVar[Callable[[Any], None]]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's, which the stubs leave out
        if self.errors:
            return
        try:
            with transaction.atomic():
                type(self).trial(self)
                transaction.set_rollback(True)
        except ValidationError as e:
            for name, told in records.reasons(e).items():
                self._refuse(name, told)
        except BadDefinition as e:
            self._refuse(e.field, [str(e)])
        except StreamsError as e:
            self.add_error(None, reason(e))

    def _refuse(self, name: str, told: list[str]) -> None:
        field = name.removeprefix("config.")
        names = [each for each in (field, declared.PREFIX + field) if each in self.fields]
        for text in told:
            self.add_error(names[0] if names else None, text)


class Kept(Beside):
    """Rows that are written by the same service for programs and for operators."""

    class Media(Styles):
        pass

    def keep(self, request: HttpRequest, form: Any) -> Any:
        """Write what was typed; return the row."""
        return records.keep_server(
            record=self._row(form), values=self.values(form), actor=shown.actor(request)
        )

    def values(self, form: Any) -> dict[str, Any]:
        # Only what was typed: the rest of the row was read a while ago, and the machine has
        # written it since.
        columns = {field.name for field in self.opts.concrete_fields}
        chosen = form.changed_data if form.instance.pk else form.cleaned_data
        return {
            name: form.cleaned_data[name]
            for name in chosen
            if name in columns and name in form.cleaned_data
        }

    def _row(self, form: Any) -> Any:
        if form.instance.pk:
            return self.model._default_manager.get(pk=form.instance.pk)  # noqa: SLF001  Django's public name
        return self.model()

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> Any:
        base = super().get_form(request, obj, change=change, **options)

        def trial(form: Any) -> None:
            self.keep(request, form)

        options = {"trial": staticmethod(trial), "__module__": __name__}
        made: Any = type(base)
        return made(base.__name__, (Tried, base), options)

    def save_model(
        self,
        request: HttpRequest,
        obj: Any,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        obj.pk = self.keep(request, form).pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        rows = list(objs)
        deleted, counts, lacking, protected = super().get_deleted_objects(rows, request)
        refused = [told for row in rows if (told := _undeletable(row))]
        return deleted, counts, lacking, [*protected, *refused]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        records.delete(record=obj, actor=shown.actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _undeletable(row: Any) -> str:
    """Return why the service would not delete it; empty when it would."""
    row = type(row)._default_manager.get(pk=row.pk)  # noqa: SLF001  What is deleted loses its key.
    try:
        with transaction.atomic():
            records.delete(record=row, actor="")
            transaction.set_rollback(True)
    except StreamsError as e:
        return str(e)
    return ""


class DeclaredAdmin(Kept):
    """Streams and consumers: their form is made from the table of their fields."""

    table: ClassVar[Mapping[str, Field]] = {}
    groups: ClassVar[Mapping[str, Any]] = {}
    own_fields: tuple[str, ...] = ()
    # The groups that are open on the page of a new one.
    first: frozenset[str] = frozenset()
    list_filter: ClassVar[Any] = ("policy", "standing")
    show_full_result_count = False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        stored = obj.config if obj is not None and isinstance(obj.config, dict) else {}
        fieldsets: list[Any] = [(None, {"fields": self.own_fields})]
        for group, names in declared.grouped(self.table).items():
            used = any(name.removeprefix(declared.PREFIX) in stored for name in names)
            title = self.groups.get(group, group)
            fieldsets.append((title, _folded(names, used or (obj is None and group in self.first))))
        unknown = set(stored) - set(self.table)
        fieldsets.append((_("What this version does not know"), _folded(("further",), unknown)))
        return fieldsets

    @admin.display(description=_("policy"), ordering="policy")
    def policy_word(self, row: Any) -> str:
        return str(shown.POLICIES.get(row.policy, row.policy))

    @admin.display(description=_("standing"), ordering="standing")
    def condition(self, row: Any) -> str:
        told = shown.standing(row.standing)
        if not row.drift:
            return told
        return format_html("{}<small>{}</small>", told, ", ".join(map(str, row.drift)))

    @admin.display(description=_("seen"), ordering="seen_at")
    def seen(self, row: Any) -> str:
        at = shown.moment(row.seen_at)
        return format_html("{}<small>{}</small>", at, row.last_error) if row.last_error else at

    def keep(self, request: HttpRequest, form: Any) -> Any:
        return records.keep_declared(
            record=self._row(form), values=self.values(form), actor=shown.actor(request)
        )

    def values(self, form: Any) -> dict[str, Any]:
        changed = form.config_changed or not form.instance.pk
        return {**super().values(form), **({"config": form.config} if changed else {})}

    def save_model(
        self,
        request: HttpRequest,
        obj: Any,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        if self.values(form):
            told = gettext("Nothing changes in NATS until the plan is applied.")
            link = format_html(
                '{} <a href="{}">{}</a>',
                told,
                plan_address([records.full_name(obj)]),
                gettext("Look at the plan"),
            )
            self.message_user(request, link, level=messages.WARNING)

    @admin.action(description=_("Declare what NATS has (accept drift)"), permissions=["change"])
    def accept_selected(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        names = [records.full_name(row) for row in chosen]
        try:
            accepted = importing.accept(names=names, actor=shown.actor(request))
        except StreamsError as e:
            tell(self, request, e)
            return
        if not accepted:
            self.message_user(request, gettext("Nothing had drifted."), level=messages.WARNING)
            return
        told = gettext("Declared as NATS has it: %(names)s.") % {"names": ", ".join(accepted)}
        self.message_user(request, told, level=messages.SUCCESS)

    @admin.action(description=_("Refresh what NATS says"), permissions=["change"])
    def refresh_selected(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        try:
            services.keep_streams(now=timezone.now())
            lag.refresh_consumers(now=timezone.now())
        except StreamsError as e:
            tell(self, request, e)
        else:
            self.message_user(request, gettext("Refreshed."), level=messages.SUCCESS)


def _folded(names: tuple[str, ...], open_: object) -> dict[str, Any]:
    """Return a group of fields; one in which nothing is set is a heading that unfolds."""
    return {"fields": names, "classes": ("declared",) if open_ else ("declared", "collapse")}


def plan_address(names: Sequence[str] = ()) -> str:
    query = urlencode([("name", name) for name in names])
    return f"{reverse('admin:streams_stream_plan')}{'?' if query else ''}{query}"


class DateFilter(admin.DateFieldListFilter):
    """When a row was written."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = _("date")
