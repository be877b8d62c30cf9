"""What an operator types to look into a stream, to publish, to purge and to restore."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams.core import subjects
from streams.core.errors import BadSubject
from streams.forms import units

# A sequence is 64 bits, and the database has a sign.
MOST = 2**63 - 1
LONGEST_MESSAGE = 512 * 1024
LONGEST_SUBJECT = subjects.MAX_LENGTH


def _pattern(text: str) -> None:
    try:
        subjects.check_pattern(text)
    except BadSubject as e:
        raise ValidationError(str(e)) from e


def _sequence(label: Any, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=MOST,
        widget=forms.NumberInput(attrs={"min": 1}), **options,
    )  # fmt: skip


class Sieve(forms.Form):
    """Which messages to show."""

    seq = _sequence(_("From sequence"))
    subject = forms.CharField(
        label=_("Subject"), required=False, max_length=LONGEST_SUBJECT, validators=[_pattern]
    )
    since = forms.DateTimeField(
        label=_("From time (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"placeholder": "2030-01-31 12:00"}),
    )
    way = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[("newest", _("newest first")), ("oldest", _("oldest first"))],
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("seq") and self.cleaned_data.get("since"):
            self.add_error("since", gettext("Give a sequence or a time, not both."))
        return cleaned


class NewMessage(forms.Form):
    """One test message. `patterns` are what its stream stores."""

    TEXT, JSON = "text", "json"

    subject = forms.CharField(label=_("Subject"), max_length=LONGEST_SUBJECT)
    kind = forms.ChoiceField(label=_("Kind"), choices=[(JSON, "JSON"), (TEXT, _("plain text"))])
    message = forms.CharField(
        label=_("Message"),
        max_length=LONGEST_MESSAGE,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def __init__(self, *arguments: Any, patterns: list[str], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.patterns = patterns
        self.fields["subject"].help_text = gettext("This stream stores %(patterns)s.") % {
            "patterns": ", ".join(patterns) or gettext("no subject of its own")
        }

    def clean_subject(self) -> str:
        subject = str(self.cleaned_data["subject"])
        try:
            subjects.tokens(subject)
        except BadSubject as e:
            raise ValidationError(str(e)) from e
        if not any(subjects.matches(pattern, subject) for pattern in self.patterns):
            raise ValidationError(gettext("This stream would not store it."))
        return subject

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("kind") == self.JSON and "message" in self.cleaned_data:
            try:
                self.cleaned_data["value"] = json.loads(
                    self.cleaned_data["message"], parse_constant=_refused
                )
            except (ValueError, RecursionError) as e:
                self.add_error("message", gettext("This is no JSON: %(why)s.") % {"why": e})
        else:
            self.cleaned_data["value"] = self.cleaned_data.get("message", "")
        return cleaned


class Which(forms.Form):
    """Which messages of a stream a purge removes; empty means all of them."""

    subject = forms.CharField(
        label=_("Subject"),
        required=False,
        max_length=LONGEST_SUBJECT,
        validators=[_pattern],
        help_text=_("Only these; may hold wildcards."),
    )
    keep = _sequence(_("Keep the newest"), help_text=_("So many stay."))
    up_to_seq = _sequence(
        _("Up to sequence"), help_text=_("The last one that goes; not together with “keep”.")
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("keep") and self.cleaned_data.get("up_to_seq"):
            self.add_error("up_to_seq", gettext("Give one of the two, not both."))
        return cleaned

    def chosen(self) -> dict[str, Any]:
        """Return what was given, as the service takes it."""
        return {
            "subject": self.cleaned_data["subject"] or None,
            "keep": self.cleaned_data["keep"],
            "up_to_seq": self.cleaned_data["up_to_seq"],
        }


class TypedName(forms.Form):
    typed_name = forms.CharField(
        label=_("Type the name to confirm"),
        max_length=255,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )


class Removal(TypedName):
    skip_backup = forms.BooleanField(
        label=_("Without a backup"),
        required=False,
        help_text=_("What goes is then gone for ever."),
    )


class Erasure(TypedName):
    erase = forms.BooleanField(
        label=_("Overwrite it on the disk too"), required=False, help_text=_("Slower.")
    )


class Reset(TypedName):
    seq = _sequence(
        _("Next sequence"), help_text=_("Empty: the one after its acknowledged messages.")
    )


class Pause(forms.Form):
    span = forms.CharField(
        label=_("For how long"), max_length=64, initial="1h", help_text=_("For example 10m or 2h.")
    )

    def clean_span(self) -> int:
        """Return nanoseconds."""
        try:
            span_ns = units.duration(self.cleaned_data["span"])
        except ValueError as e:
            raise ValidationError(gettext("Enter a duration, for example 10m or 2h.")) from e
        if not 0 < span_ns <= LONGEST_PAUSE_NS:
            raise ValidationError(gettext("Enter a duration of at most a year."))
        return span_ns


LONGEST_PAUSE_NS = 366 * units.DURATIONS["d"]


class Restoring(forms.Form):
    as_name = forms.CharField(
        label=_("As"),
        required=False,
        max_length=255,
        help_text=_("Another name, for a copy beside the stream. Empty: its own name."),
    )
    subjects = forms.CharField(
        label=_("Subjects of the copy"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("One on each line. Empty: a copy takes no new messages but on its own name."),
    )

    def clean_subjects(self) -> list[str] | None:
        found = str(self.cleaned_data["subjects"]).split()
        for each in found:
            _pattern(each)
        return found or None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("subjects") and not self.cleaned_data.get("as_name"):
            self.add_error("subjects", gettext("Only a copy under another name has its own."))
        return cleaned


def aware(at: datetime | None) -> datetime | None:
    return at if at is None or timezone.is_aware(at) else timezone.make_aware(at)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")
