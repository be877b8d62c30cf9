"""The forms of clusters, nodes, users, TLS files and subject templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams.core import serverconf, sizes, subjects
from streams.core.errors import BadDefinition, BadSubject
from streams.models import BrokerUser, Cluster, Node, TlsFiles

LONGEST_LIST = 20_000
LONGEST_PASSWORD = 128

OWN_USERS = frozenset({serverconf.ADMIN_USER, serverconf.SYSTEM_USER, serverconf.ROUTE_USER})
SIZES = ("jetstream_max_memory", "jetstream_max_storage", "max_payload")
SPANS = ("write_deadline", "ping_interval", "lame_duck_duration")
ALWAYS = "always"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOGIN = re.compile(r"://[^/@\s]*@")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+", re.ASCII)


class TextList(forms.CharField):
    """A list of texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def __init__(self, check: Callable[[str], object], **options: Any) -> None:
        self.check = check
        super().__init__(required=False, max_length=LONGEST_LIST, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().to_python(value)).splitlines()]
        found = [line for line in lines if line]
        for line in found:
            self.check(line)
        return found

    def run_validators(self, value: Any) -> None:
        """Django's own count the characters of a text."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.disabled and (initial or []) != str(data or "").split()


def _pattern(text: str) -> None:
    try:
        subjects.check_pattern(text)
    except BadSubject as e:
        raise ValidationError(str(e)) from e


def _address(text: str) -> None:
    """Let only an address pass that holds no password: it would be shown."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as e:
        raise ValidationError(gettext("This is no address.")) from e
    if not parts.scheme or not parts.hostname or port is None:
        raise ValidationError(
            gettext("Enter an address with a scheme and a port, for example nats://node2:4222.")
        )
    if parts.password is not None or parts.username is not None:
        raise ValidationError(gettext("An address here holds no name and no password."))


def masked(address: str) -> str:
    """Return an address without the name and password that an imported file may have put in it."""
    return _LOGIN.sub("://…@", address)


def _plain(text: str) -> None:
    if _CONTROL.search(text):
        raise ValidationError(gettext("This holds a control character."))


def _stream_name(text: str) -> None:
    _plain(text)
    if any(c in " .*>/\\" for c in text):
        raise ValidationError(gettext("%(name)s is no name of a stream.") % {"name": text})


class Plain(forms.ModelForm[Any]):
    """No text of it holds a control character: each of them becomes a line of a configuration."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name, value in list(self.cleaned_data.items()):
            if isinstance(value, str) and name != "password":
                try:
                    _plain(value)
                except ValidationError as e:
                    self.add_error(name, e)
        return cleaned


class Routes(TextList):
    """Addresses; one that was kept with a password is shown without, and stays as it was kept."""

    kept: tuple[str, ...] = ()

    def prepare_value(self, value: Any) -> Any:
        shown = [masked(str(each)) for each in value] if isinstance(value, list) else value
        return super().prepare_value(shown)

    def to_python(self, value: Any) -> Any:
        known = {masked(each): each for each in self.kept}
        found = [line.strip() for line in str(forms.CharField.to_python(self, value)).splitlines()]
        for line in found:
            if line and line not in known:
                self.check(line)
        return [known.get(line, line) for line in found if line]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed([masked(str(each)) for each in initial or []], data)


class ClusterForm(Plain):
    cluster_routes = Routes(
        _address,
        label=_("Further routes"),
        help_text=_(
            "To nodes that are not declared here, one on each line: nats-route://node2:6222"
        ),
    )
    client_urls = TextList(
        _address,
        label=_("Client URLs"),
        help_text=_("Further servers beside the NATS URL; one on each line."),
    )

    class Meta:
        model = Cluster
        fields = "__all__"  # noqa: DJ007  the contract has all of them

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        routes = self.fields["cluster_routes"]
        if isinstance(routes, Routes):
            routes.kept = tuple(map(str, self.instance.cluster_routes))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in SIZES:
            self._check(name, sizes.size_bytes)
        for name in SPANS:
            self._check(name, sizes.duration_s)
        if self.cleaned_data.get("sync_interval") != ALWAYS:
            self._check("sync_interval", sizes.duration_s)
        if url := self.cleaned_data.get("nats_url"):
            self._check_url(url)
        self._check_hosts()
        self._check_ports()
        return cleaned

    def _check(self, name: str, read: Callable[[str, str], float]) -> None:
        if name not in self.cleaned_data:
            return
        try:
            read(self.cleaned_data[name], name)
        except BadDefinition as e:
            self.add_error(name, str(e).partition(": ")[2])

    def _check_url(self, url: str) -> None:
        try:
            _address(url)
        except ValidationError as e:
            self.add_error("nats_url", e)

    def _check_hosts(self) -> None:
        for name in ("host", "cluster_host"):
            host = self.cleaned_data.get(name)
            if host and not _HOST.fullmatch(host):
                self.add_error(name, gettext("Enter a host name or an address."))

    def _check_ports(self) -> None:
        given = [self.cleaned_data.get(name) for name in ("nats_port", "http_port", "cluster_port")]
        ports = [port for port in given if port]
        if len(set(ports)) != len(ports):
            self.add_error(None, gettext("Client, monitoring and route port must differ."))


class NodeForm(Plain):
    class Meta:
        model = Node
        fields = (
            "cluster", "name", "enabled", "address", "nats_port", "http_port", "cluster_port",
            "data_dir", "client_tls", "route_tls",
        )  # fmt: skip

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        if not _HOST.fullmatch(address):
            raise ValidationError(gettext("Enter a host name or an address."))
        return address


class TlsFilesForm(Plain):
    class Meta:
        model = TlsFiles
        fields = ("name", "cert_file", "key_file", "ca_file", "verify", "timeout_s")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("verify") and not self.cleaned_data.get("ca_file"):
            self.add_error("ca_file", gettext("To verify the other side a CA file is needed."))
        return cleaned


ONE_PER_LINE = _("One on each line.")


class UserForm(Plain):
    """The password is not in it: it has a page of its own, and goes in only."""

    subjects = TextList(
        _pattern, label=_("Subjects"), help_text=_("One on each line, for example market.>")
    )
    streams = TextList(
        _stream_name,
        label=_("Streams"),
        help_text=_("What a consumer may consume; empty: all streams that hold its subjects."),
    )
    publish_allow = TextList(_pattern, label=_("May publish"), help_text=ONE_PER_LINE)
    publish_deny = TextList(_pattern, label=_("May not publish"), help_text=ONE_PER_LINE)
    subscribe_allow = TextList(_pattern, label=_("May subscribe"), help_text=ONE_PER_LINE)
    subscribe_deny = TextList(_pattern, label=_("May not subscribe"), help_text=ONE_PER_LINE)

    class Meta:
        model = BrokerUser
        fields = (
            "cluster", "name", "role", "enabled", "subjects", "streams", "publish_allow",
            "publish_deny", "subscribe_allow", "subscribe_deny",
        )  # fmt: skip

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name in OWN_USERS:
            raise ValidationError(gettext("This is the name of a user of Tickplane itself."))
        return name

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        role = self.cleaned_data.get("role")
        if (
            role in (BrokerUser.Role.PRODUCER, BrokerUser.Role.CONSUMER)
            and "subjects" in self.cleaned_data
            and not self.cleaned_data["subjects"]
        ):
            self.add_error("subjects", gettext("This role needs at least one subject."))
        return cleaned


class Password(forms.Form):
    """One that was typed, or none: then one is made."""

    password = forms.CharField(
        label=_("Password"),
        required=False,
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text=_("Empty: one is made for you and shown once."),
    )
