"""What this process sees of a certificate: whether it can be read, and how long it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext

from streams.models import TlsFiles

LARGEST_BYTES = 1024 * 1024
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Look:
    """One thing that was seen; `state` is a badge's."""

    state: str
    told: object


def looked_at(files: TlsFiles) -> list[Look]:
    """Return what is wrong with the files; the certificate's end where nothing is."""
    named = [
        (gettext("certificate file"), files.cert_file),
        (gettext("key file"), files.key_file),
        (gettext("CA file"), files.ca_file),
    ]
    unreadable = [_unreadable(what, where) for what, where in named if where]
    return [look for look in unreadable if look] or [_lasting(files.cert_file)]


def _unreadable(what: str, where: str) -> Look | None:
    try:
        # A key is opened and not read: nothing of it is wanted here.
        with Path(where).open("rb"):
            return None
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else str(e)
        told = gettext("The %(what)s cannot be read: %(why)s.") % {"what": what, "why": why}
        return Look("unreadable", told)


def _lasting(where: str) -> Look:
    from cryptography import x509  # noqa: PLC0415  6 MB, for a page that is seldom opened

    try:
        with Path(where).open("rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read(LARGEST_BYTES))
    except (OSError, ValueError):
        return Look("unreadable", gettext("The certificate file holds no certificate."))
    ends, now = certificate.not_valid_after_utc, timezone.now()
    if ends <= now:
        return Look("ended", gettext("ended %(at)s") % {"at": _day(ends)})
    if ends - now <= SOON:
        return Look("awaits", gettext("ends soon: %(at)s") % {"at": _day(ends)})
    return Look("readable", gettext("lasts until %(at)s") % {"at": _day(ends)})


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
