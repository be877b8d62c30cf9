"""
The forms of a stream and of a consumer, made from the tables of their fields.

Only what was typed changes in the stored configuration: what the form does not know, or nobody
touched, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams.core import definition, fields, subjects
from streams.core.errors import BadSubject
from streams.core.fields import Field
from streams.forms import typed, units
from streams.models import Stream, StreamConsumer

# Fields of a configuration stand beside those of the record, which has a `bytes` of its own.
PREFIX = "js_"
# The record's own name says it.
OF_THE_RECORD = frozenset({"name", "durable_name"})
# To empty one of these means to be without it. Of the others a value says so: unlimited, 0, no.
TAKEN_AWAY = frozenset(
    {"text", "subject", "subjects", "texts", "durations", "map", "struct", "structs"}
)
# As JetStream refuses names.
NOT_IN_A_NAME = frozenset(" \t\r\n\f\v.*>/\\")


class Declared(forms.ModelForm[Any]):
    """`table` says which fields the configuration may have."""

    table: ClassVar[Mapping[str, Field]] = {}
    ours: ClassVar[Mapping[str, Any]] = {}

    further = forms.CharField(
        label=_("Further fields"),
        required=False,
        max_length=typed.LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 1, "spellcheck": "false"}),
        help_text=_(
            "Fields that this version has no line for, as a JSON object; they are sent as they are."
        ),
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The column takes any JSON; only an object is a configuration.
        stored = self.instance.config
        self.config: dict[str, Any] = dict(stored) if isinstance(stored, dict) else {}
        for name, field in self.typed_fields():
            self.initial[PREFIX + name] = self.config.get(name)
            field.disabled = self.is_fixed(field.spec)
            # Of what is in NATS already, leaving out means that it stays as it is there.
            if isinstance(self.instance.live, dict) and name in self.instance.live:
                field.leave(value_text(field.spec, self.instance.live[name]))
        unknown = self._unknown()
        self.initial["further"] = typed.shown_json(unknown) if unknown else ""

    def typed_fields(self) -> list[tuple[str, typed.Typed]]:
        return [
            (name.removeprefix(PREFIX), field)
            for name, field in self.fields.items()
            if isinstance(field, typed.Typed)
        ]

    def is_fixed(self, spec: Field) -> bool:
        """Return whether NATS has the object already, and would refuse another value."""
        return bool(
            spec.change == "immutable"
            and not spec.moves
            and self.instance.pk
            and (self.instance.live or self.instance.applied)
        )

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if any(c in NOT_IN_A_NAME or not c.isprintable() for c in name):
            raise ValidationError(
                gettext("A name holds no space, control character or any of . * > / \\")
            )
        return name

    def clean_further(self) -> dict[str, Any]:
        text = self.cleaned_data["further"].strip()
        value: dict[str, Any] = typed.read_json(text, dict) if text else {}
        if known := sorted(set(value) & {*self.table, *OF_THE_RECORD}):
            raise ValidationError(
                gettext("%(names)s: the form has a field of its own.") % {"names": ", ".join(known)}
            )
        return value

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if "further" in self.cleaned_data and "further" in self.changed_data:
            for name in self._unknown():
                del self.config[name]
            self.config |= self.cleaned_data["further"]
        for name, _field in self.typed_fields():
            if PREFIX + name in self.changed_data and PREFIX + name in self.cleaned_data:
                self._take(name, self.cleaned_data[PREFIX + name])
        for name, why in fields.check(self.config, self.table).items():
            self._refuse(name, why)
        self._check_subjects()
        return cleaned

    def _take(self, name: str, value: Any) -> None:
        live = self.instance.live if isinstance(self.instance.live, dict) else {}
        if value is not None:
            self.config[name] = value
        elif live.get(name) and self.table[name].kind in TAKEN_AWAY:
            # To leave it out would keep what NATS has; null takes it away.
            self.config[name] = None
        else:
            self.config.pop(name, None)

    def _refuse(self, name: str, why: str) -> None:
        # A reason may name a field inside of a field: sources.0.name
        field = PREFIX + name.partition(".")[0].partition("[")[0]
        if field in self.errors:
            return
        self.add_error(field if field in self.fields else None, why)

    def _check_subjects(self) -> None:
        if PREFIX + "subjects" not in self.changed_data or PREFIX + "subjects" in self.errors:
            return
        for subject in self.config.get("subjects") or ():
            try:
                subjects.check_pattern(subject)
            except BadSubject as e:
                self.add_error(PREFIX + "subjects", str(e))

    def _unknown(self) -> dict[str, Any]:
        known = {*self.table, *OF_THE_RECORD}
        return {name: value for name, value in self.config.items() if name not in known}

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  Django's
        self.instance.config = self.config
        return super().save(commit)

    @property
    def config_changed(self) -> bool:
        return any(name == "further" or name.startswith(PREFIX) for name in self.changed_data)


def label(name: str) -> str:
    return capfirst(name.replace("_", " "))


def marks(spec: Field) -> list[str]:
    """Return what is special about a field, in words."""
    said = {"one_way": gettext("one-way: can be set, never taken back"),
            "immutable": gettext("fixed once it is in NATS")}  # fmt: skip
    found = [said[spec.change]] if spec.change in said and not spec.moves else []
    if spec.moves:
        found.append(
            gettext("in NATS it can only go %(moves)s")
            % {"moves": ", ".join(dict.fromkeys(" ↔ ".join(sorted(move)) for move in spec.moves))}
        )
    if spec.level:
        found.append(gettext("needs a server of API level %(level)d") % {"level": spec.level})
    return found


def help_text(spec: Field) -> str:
    told = [str(spec.doc)]
    if spec.inner:
        told.append(gettext("Holds %(names)s.") % {"names": ", ".join(spec.inner)})
    if spec.kind in EXAMPLES:
        told.append(str(EXAMPLES[spec.kind]))
    if noted := marks(spec):
        told.append(f"{capfirst('; '.join(noted))}.")
    return " ".join(told)


EXAMPLES = {
    "subjects": _("One on each line."),
    "texts": _("One on each line."),
    "durations": _("One on each line, for example 30s."),
    "duration": _("For example 90s, 1h30m or 7d."),
    "bytes": _("For example 512MB or 10GB."),
    "map": _('A JSON object, for example {"team": "quotes"}.'),
    "struct": _("A JSON object; empty: without it."),
    "structs": _("A JSON list of objects; empty: without them."),
}


def default_text(spec: Field, ours: Mapping[str, Any]) -> str:
    """
    Return what a field that is left out becomes; empty where that depends.

    Args:
        ours: What Tickplane itself gives a new object.
    """
    return value_text(spec, ours.get(spec.name, spec.default))


def value_text(spec: Field, value: Any) -> str:
    """Return a plain value in a few words; empty for a list or an object."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, int):
        written = {"duration": units.duration_text, "bytes": units.size_text}
        return written.get(spec.kind, units.count_text)(value)
    return value if isinstance(value, str) else ""


_lazy_help = lazy(help_text, str)


def _with_table(base: type[Declared], table: Mapping[str, Field]) -> type[Declared]:
    """Return the form with one field for each field of the table."""
    made: dict[str, Any] = {
        PREFIX + name: typed.form_field(
            spec, default_text(spec, base.ours), label=label(name), help_text=_lazy_help(spec)
        )
        for name, spec in table.items()
        if name not in OF_THE_RECORD
    }
    options = {**made, "table": table, "__module__": __name__}
    return type(base.__name__.strip("_"), (base,), options)


class _Stream(Declared):
    ours = definition.new_stream("", {}, definition.FAST_INGEST_LEVEL)

    class Meta:
        model = Stream
        fields = ("name", "policy")


class _Consumer(Declared):
    ours = definition.new_consumer("", {})

    class Meta:
        model = StreamConsumer
        fields = ("stream", "name", "policy")


StreamForm = _with_table(_Stream, fields.STREAM_FIELDS)
ConsumerForm = _with_table(_Consumer, fields.CONSUMER_FIELDS)


def grouped(table: Mapping[str, Field]) -> dict[str, tuple[str, ...]]:
    """Return the names of the form's fields by the group that the table puts them in."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, spec in table.items():
        if name not in OF_THE_RECORD:
            groups[spec.group] = (*groups.get(spec.group, ()), PREFIX + name)
    return groups
