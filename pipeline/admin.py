"""The operator's page of data sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm, Script
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pipeline import services
from pipeline.forms import WORDS, SourceForm, written
from pipeline.models import DataSource
from pipeline.services.reports import UNDECODABLE
from streams.core.templates import TYPES

WANTED_FIELDS = ("types", "symbols", "intervals", "options")
LINK_FIELDS = (
    "silence_s", "stale_s", "reconnect_interval", "max_reconnect_attempts",
    ("link_life_s", "renew_at"), ("buffer_size", "linger_ms"), "trusted",
)  # fmt: skip
TALK_FIELDS = ("handshake", ("ping_text", "ping_every_s"))
SEEN_FIELDS = (
    ("condition", "state_since", "seen_at"), "last_error", ("channels", "links", "epoch"),
    ("received_count", "published_count", "last_message_at"), ("types_seen", "troubles_seen"),
    "is_demo",
)  # fmt: skip
# As `services.reports.TROUBLES` has them, in the order in which they matter.
TROUBLES = {
    "gaps": _("gaps"),
    "resyncs": _("books made whole again"),
    "stale": _("silent channels"),
    "disconnects": _("interruptions"),
    "bad_checksums": _("checksums that differed"),
    "backfilled": _("trades asked for afterwards"),
    "repeated": _("repeats left out"),
    "ignored": _("frames of no use"),
    "unasked": _("data that nobody subscribed to"),
}
# What the list tells of them.
SHORT = {
    "gaps": _("gaps"),
    "stale": _("stale"),
    "disconnects": _("interruptions"),
    "bad_checksums": _("bad checksums"),
    "undecodable": _("undecodable"),
}


@admin.register(DataSource)
class DataSourceAdmin(admin.ModelAdmin[DataSource]):
    form = SourceForm
    list_display = (
        "name", "enabled", "condition", "heard", "channels", "published_count", "troubles_told",
    )  # fmt: skip
    list_filter = ("enabled", "state", "venue", "is_demo")
    search_fields = ("name", "endpoint", "symbols")
    actions = ("enable", "disable")
    readonly_fields = (
        "condition", "state_since", "seen_at", "last_error", "channels", "links",
        "last_message_at", "received_count", "published_count", "types_seen", "troubles_seen",
        "epoch", "is_demo",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("name", "venue", "enabled")}),
        (_("What to collect"), {"fields": WANTED_FIELDS}),
        (_("From where"), {"fields": ("protocol", "endpoint", "rest_endpoint")}),
        (_("Checks"), {"fields": (("checksums", "backfill"),)}),
        (_("Link"), {"fields": LINK_FIELDS, "classes": ("collapse",)}),
        (_("Handshake and ping"), {"fields": TALK_FIELDS, "classes": ("collapse",)}),
    )
    seen = (_("Seen by the pipeline"), {"fields": SEEN_FIELDS})

    class Media:
        css = {"all": ["pipeline/admin.css"]}
        js = [Script("pipeline/source.js", type="module")]

    @admin.display(description=_("state"), ordering="state")
    def condition(self, source: DataSource) -> str:
        if services.is_unreported(source=source, now=timezone.now()):
            return format_html(
                '<span class="state state-unreported">{}</span>', gettext("no report")
            )
        return format_html(
            '<span class="state state-{}">{}</span>', source.state, source.get_state_display()
        )

    @admin.display(description=_("last message"), ordering="last_message_at")
    def heard(self, source: DataSource) -> str:
        if source.last_message_at is None:
            return gettext("never")
        age = timezone.now() - source.last_message_at
        if age.total_seconds() < 60:  # noqa: PLR2004  timesince counts minutes
            return gettext("%(age).0f s ago") % {"age": max(0.0, age.total_seconds())}
        return gettext("%(age)s ago") % {"age": timesince(source.last_message_at)}

    @admin.display(description=_("troubles"))
    def troubles_told(self, source: DataSource) -> SafeString:
        found = services.counts(source.troubles) | {"undecodable": source.undecodable}
        named = {name: found.get(name, 0) for name in SHORT}
        counted = ", ".join(f"{_number(n)} {SHORT[name]}" for name, n in named.items() if n)
        lines = [text for text in (counted, source.last_error) if text]
        return format_html_join("", "<div>{}</div>", ((text,) for text in lines))

    @admin.display(description=_("messages by type"))
    def types_seen(self, source: DataSource) -> str:
        found = services.counts(source.by_type)
        ours = [name for name in TYPES if name in found]
        others = [name for name in found if name not in TYPES]
        return _table({str(WORDS.get(name, name)): found[name] for name in ours + others})

    @admin.display(description=_("troubles"))
    def troubles_seen(self, source: DataSource) -> str:
        found = services.counts(source.troubles)
        known = {str(words): found.get(name, 0) for name, words in TROUBLES.items()}
        reasons = {
            gettext("not decodable: %(reason)s") % {"reason": name.removeprefix(UNDECODABLE)}: n
            for name, n in sorted(found.items())
            if name.startswith(UNDECODABLE)
        }
        return _table(known | reasons)

    @admin.display(description=_("handshake"))
    def steps(self, source: DataSource) -> str:
        return written(source.handshake) or gettext("none")

    @admin.display(description=_("received"), ordering="received")
    def received_count(self, source: DataSource) -> str:
        return _number(source.received)

    @admin.display(description=_("published"), ordering="published")
    def published_count(self, source: DataSource) -> str:
        return _number(source.published)

    def get_fieldsets(self, request: HttpRequest, obj: DataSource | None = None) -> Any:
        # Nothing was seen of a source that is not there yet.
        shown = (self.fieldsets[0], self.seen, *self.fieldsets[1:]) if obj else self.fieldsets
        if self.has_change_permission(request, obj):
            return shown
        # Who may not change it is shown the columns themselves.
        return [
            (title, {**options, "fields": _swapped(options["fields"], "handshake", "steps")})
            for title, options in shown
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: DataSource | None = None
    ) -> tuple[str, ...]:
        # Its name is its identity in logs, counters and workers.
        return (*self.readonly_fields, "steps", *(("name",) if obj else ()))

    def save_model(
        self,
        request: HttpRequest,
        obj: DataSource,
        form: ModelForm[DataSource],
        change: bool,  # noqa: FBT001
    ) -> None:
        # Only what was typed: the counters were read a while ago, and the pipeline has written
        # them since.
        obj.save(update_fields=form.changed_data if change else None)
        if names := services.overlapping(source=obj):
            self.message_user(
                request,
                gettext(
                    "Some of this is collected by %(names)s, too. Both number what they publish "
                    "on the same subjects, so that each seems to lose messages."
                )
                % {"names": ", ".join(names)},
                messages.WARNING,
            )

    @admin.action(description=_("Enable"))
    def enable(self, request: HttpRequest, sources: QuerySet[DataSource]) -> None:
        count = services.enable(sources=sources)
        self.message_user(
            request,
            ngettext("%(count)d source enabled.", "%(count)d sources enabled.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they are enabled already."),
        )

    @admin.action(description=_("Disable"))
    def disable(self, request: HttpRequest, sources: QuerySet[DataSource]) -> None:
        count = services.disable(sources=sources)
        self.message_user(
            request,
            ngettext("%(count)d source disabled.", "%(count)d sources disabled.", count)
            % {"count": count}
            if count
            else gettext("Nothing to do: they are disabled already."),
        )


def _swapped(fields: Sequence[Any], name: str, other: str) -> list[Any]:
    return [other if field == name else field for field in fields]


def _number(value: int) -> str:
    return number_format(value, force_grouping=True)


def _table(counts: Mapping[str, int]) -> SafeString | str:
    if not counts:
        return gettext("none yet")
    rows = format_html_join(
        "", "<dt>{}</dt><dd>{}</dd>", ((w, _number(n)) for w, n in counts.items())
    )
    return format_html('<dl class="counts">{}</dl>', rows)
