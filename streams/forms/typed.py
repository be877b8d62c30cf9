"""One field of a JetStream configuration as a field of a form: empty is left to the server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams.core.field import Field
from streams.forms import units

LONGEST_TEXT = 100_000
LEFT = _("left out")
DEEPEST = 32
YES, NO = "true", "false"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Typed(forms.CharField):
    """Text that stands for one value; None is "not set". `spec` says of which kind."""

    empty_value = ""

    def __init__(self, spec: Field, **options: Any) -> None:
        self.spec = spec
        super().__init__(required=False, max_length=LONGEST_TEXT, **options)

    def prepare_value(self, value: Any) -> Any:
        # What was typed comes back as it was; only a stored value is written out.
        if value is None or (isinstance(value, str) and self.spec.kind not in STORED_AS_TEXT):
            return value
        return self.text(value)

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value))
        if _CONTROL.search(text):
            raise ValidationError(gettext("This holds a control character."))
        return self.value(text) if text else None

    def validate(self, value: Any) -> None:
        """Nothing is required, and `core.fields.check` knows the rest."""

    def run_validators(self, value: Any) -> None:
        """Django's own count the characters of a text, which a number has not."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        try:
            typed = self.to_python(data)
        except ValidationError:
            return True
        return bool(typed != (None if initial in EMPTY else initial))

    def leave(self, told: str) -> None:
        """Say in the empty field what leaving it out comes to."""
        self.widget.attrs["placeholder"] = told

    def text(self, value: Any) -> str:
        """Return a stored value as it can be typed."""
        return str(value)

    def value(self, text: str) -> Any:
        """
        Return what was typed as it is stored.

        Raises:
            ValidationError: It is no such value.
        """
        return text


# A text that is empty says as much as none at all.
EMPTY: tuple[Any, ...] = (None, "", [], {})
STORED_AS_TEXT = frozenset({"text", "subject", "time", "choice"})


class Count(Typed):
    wrong: Any = _("Enter a whole number, for example 100000, or “unlimited”.")

    def text(self, value: Any) -> str:
        return units.count_text(value) if isinstance(value, int) else str(value)

    def value(self, text: str) -> int:
        try:
            return self.read(text)
        except ValueError as e:
            raise ValidationError(self.wrong) from e

    @staticmethod
    def read(text: str) -> int:
        return units.count(text)


class Size(Count):
    wrong = _("Enter a size, for example 512MB or 10GB, or “unlimited”.")

    def text(self, value: Any) -> str:
        return units.size_text(value) if isinstance(value, int) else str(value)

    @staticmethod
    def read(text: str) -> int:
        return units.size(text)


class Duration(Count):
    wrong = _("Enter a duration, for example 90s, 1h30m or 7d.")

    def text(self, value: Any) -> str:
        return units.duration_text(value) if isinstance(value, int) else str(value)

    @staticmethod
    def read(text: str) -> int:
        return units.duration(text)


class Lines(Typed):
    """Several texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 1})

    def text(self, value: Any) -> str:
        return "\n".join(map(str, value)) if isinstance(value, list) else shown_json(value)

    def value(self, text: str) -> Any:
        return [line.strip() for line in text.splitlines() if line.strip()] or None


class Durations(Lines):
    def text(self, value: Any) -> str:
        if not isinstance(value, list) or not all(isinstance(one, int) for one in value):
            return shown_json(value)
        return "\n".join(map(units.duration_text, value))

    def value(self, text: str) -> Any:
        try:
            return [units.duration(line) for line in text.splitlines() if line.strip()] or None
        except ValueError as e:
            raise ValidationError(Duration.wrong) from e


class Json(Typed):
    """An object."""

    widget = forms.Textarea(attrs={"rows": 1, "spellcheck": "false"})
    holds: type[Any] = dict

    def text(self, value: Any) -> str:
        return shown_json(value)

    def value(self, text: str) -> Any:
        return read_json(text, self.holds)


class JsonList(Json):
    holds = list


class Moment(Typed):
    """A moment, as RFC 3339 writes it."""

    def value(self, text: str) -> str:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError as e:
            raise ValidationError(
                gettext("Enter a moment, for example 2030-01-31T12:00:00Z.")
            ) from e
        return text.strip() if at.tzinfo else f"{text.strip()}Z"


class Choice(Typed):
    """One of a few."""

    def __init__(
        self, spec: Field, choices: Mapping[str, Any], default: str = "", **options: Any
    ) -> None:
        self.choices = choices
        super().__init__(spec, widget=forms.Select, **options)
        self.leave(default)

    def leave(self, told: str) -> None:
        # Lazy: the words are chosen when the page is made.
        left = format_lazy("{} ({})", LEFT, told) if told else LEFT
        self.widget.choices = [("", left), *self.choices.items()]

    def value(self, text: str) -> Any:
        if text not in self.choices:
            raise ValidationError(gettext("Choose one of the list."))
        return text


class Flag(Choice):
    """Yes, no, or left to the server."""

    def __init__(self, spec: Field, default: str = "", **options: Any) -> None:
        super().__init__(spec, {YES: _("yes"), NO: _("no")}, default, **options)

    def text(self, value: Any) -> str:
        return YES if value is True else NO if value is False else str(value)

    def value(self, text: str) -> bool:
        return bool(super().value(text) == YES)


def shown_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def read_json(text: str, holds: type[Any]) -> Any:
    """
    Return what a JSON text says.

    Raises:
        ValidationError: It is no JSON, or something else than `holds`.
    """
    try:
        value = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as e:
        raise ValidationError(gettext("This is no JSON: %(why)s.") % {"why": e}) from e
    if not _is_shallow(value):
        raise ValidationError(gettext("This is nested too deep."))
    if not isinstance(value, holds):
        raise ValidationError(
            gettext("Enter a JSON list: […].")
            if holds is list
            else gettext("Enter a JSON object: {…}.")
        )
    return value


def _is_shallow(value: Any) -> bool:
    """Return whether everything that walks through it later has room to."""
    level = [value]
    for _depth in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return True
    return False


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


KINDS: Mapping[str, type[Typed]] = {
    "count": Count,
    "bytes": Size,
    "duration": Duration,
    "time": Moment,
    "subjects": Lines,
    "texts": Lines,
    "durations": Durations,
    "map": Json,
    "struct": Json,
    "structs": JsonList,
    "text": Typed,
    "subject": Typed,
}


def form_field(spec: Field, default: str, **options: Any) -> Typed:
    """Return the form's field of one field of a configuration; `default` is the server's own."""
    if spec.kind == "flag":
        return Flag(spec, default, **options)
    if spec.kind == "choice":
        return Choice(spec, {choice: choice for choice in spec.choices}, default, **options)
    made = KINDS[spec.kind](spec, **options)
    if default and not isinstance(made, Lines):
        made.leave(default)
    return made
