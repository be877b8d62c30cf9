"""The form of a source: what a row keeps as JSON, as a person types and chooses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pipeline.core import checking, handshake
from pipeline.core.errors import BadOption
from pipeline.core.spec import HandshakeStep
from pipeline.core.venues import VENUES
from pipeline.models import DataSource, one_minute
from streams.core.templates import TYPES

LONGEST_LIST = 200_000
LONGEST_S = 86_400
WORDS = {
    "trade": _("trades"),
    "ticker": _("best bid and offer"),
    "orderbook": _("order book"),
    "kline": _("candles"),
    "volatility_index": _("volatility index"),
    "funding": _("funding rate"),
}
NOTES = {
    "name": _("Letters, digits, - and _. It cannot be changed later."),
    "checksums": _("Of books, where the venue sends real ones."),
    "backfill": _("After a lost link, by REST."),
}
# Of every venue that has an option of the name.
CHOICES: Mapping[str, tuple[str, ...]] = {
    name: tuple(dict.fromkeys(c for v in VENUES.values() for c in v.options.get(name, ())))
    for venue in VENUES.values()
    for name in venue.options
}


class Names(forms.CharField):
    """A list of names, with spaces, commas or lines between."""

    def __init__(self, rows: int, **options: Any) -> None:
        attrs = {"rows": rows, "cols": 60, "spellcheck": "false", "autocapitalize": "off"}
        widget = forms.Textarea(attrs=attrs)
        super().__init__(required=False, max_length=LONGEST_LIST, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return " ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return str(super().clean(value)).replace(",", " ").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != str(data or "").replace(",", " ").split())


class NamedWidget(forms.MultiWidget):
    """Several fields, each with a label of its own before it."""

    template_name = "pipeline/widgets/named.html"
    use_fieldset = True

    def __init__(
        self, title: Any, widgets: Mapping[str, forms.Widget], labels: Mapping[str, Any]
    ) -> None:
        super().__init__(dict(widgets))
        self.title = title
        self.names = list(widgets)
        self.labels = [labels[name] for name in widgets]

    def decompress(self, value: Any) -> list[Any]:
        found = value if isinstance(value, dict) else {}
        return [found.get(name) for name in self.names]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["title"] = self.title
        for part, own, label in zip(
            context["widget"]["subwidgets"], self.names, self.labels, strict=True
        ):
            part["own_name"], part["label"] = own, label
        return context


class Named(forms.MultiValueField):
    """A mapping with a field for each name; those left empty are not in it."""

    def __init__(
        self,
        label: Any,
        fields: Mapping[str, forms.Field],
        labels: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self.names = list(fields)
        widget = NamedWidget(label, {name: each.widget for name, each in fields.items()}, labels)
        super().__init__(
            fields=list(fields.values()), widget=widget, label=label, required=False,
            require_all_fields=False, **options,
        )  # fmt: skip

    def compress(self, data_list: list[Any]) -> dict[str, Any]:
        pairs = zip(self.names, data_list or [], strict=False)
        return {name: value for name, value in pairs if value not in ("", None)}


class Steps(forms.CharField):
    """A handshake as JSON, with marks for what is sent."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 4, "cols": 60, "spellcheck": "false"})
        super().__init__(required=False, max_length=LONGEST_LIST, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).strip()
        if not text:
            return []
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as e:
            raise ValidationError(gettext("This is no JSON.")) from e
        try:
            return checking.shaped("handshake", found)
        except BadOption as e:
            raise ValidationError(capfirst(e.reason)) from e

    def has_changed(self, initial: Any, data: Any) -> bool:
        typed = str(data or "").replace("\r\n", "\n").strip()
        return bool(self.prepare_value(initial or []) != typed)


def written(value: list[Any]) -> str:
    """Return a stored handshake as it is shown."""
    try:
        steps = handshake.masked(checking.shaped("handshake", value))
    except BadOption:
        return ""  # Somebody's hand was at the row; what it holds may be a secret.
    lines = [json.dumps(msgspec.to_builtins(step), ensure_ascii=False) for step in steps]
    return "[" + ",\n ".join(lines) + "]" if lines else ""


class SourceForm(forms.ModelForm[DataSource]):
    types = forms.MultipleChoiceField(
        label=_("Types of data"),
        required=False,
        choices=[(name, capfirst(WORDS[name])) for name in TYPES],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "types"}),
        help_text=_("In subjects and files they are called %(names)s.")
        % {"names": ", ".join(TYPES)},
    )
    symbols = Names(
        rows=3,
        label=_("Symbols"),
        help_text=_(
            "As the venue writes them, with spaces, commas or lines between: BTCUSDT at Binance, "
            "BTC-USDT-SWAP at OKX, BTC-PERPETUAL at Deribit; of a volatility index its name, "
            "btc_usd. * stands for any letters, ? for one: BTC-*."
        ),
    )
    intervals = Names(
        rows=1,
        label=_("Intervals of candles"),
        # A form has no default of the row's where it says by itself what the field is.
        initial=one_minute,
        help_text=_("For example 1m 15m 1h 1d 1M."),
    )
    options = Named(
        _("Options of the venue"),
        {
            name: forms.ChoiceField(
                required=False, choices=[("", _("as usual")), *((c, c) for c in choices)]
            )
            for name, choices in CHOICES.items()
        },
        {name: name for name in CHOICES},
        help_text=_("Which of its streams to take, or how often they tell."),
    )
    stale_s = Named(
        _("Stale after (s)"),
        {
            name: forms.FloatField(
                required=False,
                min_value=0.1,
                max_value=LONGEST_S,
                widget=forms.NumberInput(attrs={"step": "any"}),
            )
            for name in TYPES
        },
        WORDS,
        help_text=_(
            "A channel that is subscribed and silent for so long counts as stale. Empty for the "
            "usual time of its type."
        ),
    )
    handshake = Steps(
        label=_("Handshake"),
        help_text=_(
            'Before any subscription: [{"send": "…", "expect": "…", "within_s": 10}]. What is sent '
            "is never shown again: ***1 stands for what step 1 sends now."
        ),
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name, text in NOTES.items():
            if name in self.fields:
                self.fields[name].help_text = text
        if "venue" in self.fields:  # Not on the page of somebody who may only look.
            self.fields["venue"].widget.attrs["data-venues"] = json.dumps(
                {
                    name: {
                        "types": sorted(venue.types),
                        "options": {name: list(c) for name, c in venue.options.items()},
                    }
                    for name, venue in VENUES.items()
                }
            )

    def clean_handshake(self) -> list[dict[str, Any]]:
        steps: list[HandshakeStep] = self.cleaned_data["handshake"]
        try:
            kept = checking.shaped("handshake", self.instance.handshake)
        except BadOption:
            kept = []
        try:
            return [msgspec.to_builtins(step) for step in handshake.unmasked(steps, kept)]
        except BadOption as e:
            raise ValidationError(capfirst(e.reason)) from e
