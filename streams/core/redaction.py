"""Hides secrets in texts for people: log lines, tracebacks, what goes out as an event."""

from __future__ import annotations

import re

# user:password@ of any URL. The user stays: it says which account was refused.
_URL_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@")
# name=value and "name": "value" of fields that hold secrets.
_NAMED_SECRET = re.compile(
    r"""(?ix) (["']?\b[\w-]*(?:password|passwd|secret|token|authorization)[\w-]*["']?\s*[=:]\s*)
    (?:(?:basic|bearer|digest|token)\s+)?("[^"]*"|'[^']*'|[^\s,;&}]+)"""
)

# A list of secrets, with commas in it.
_SECRETS = re.compile(r"(?i)(account_keys[\"']?\s*[=:]\s*)\S+")
# Tokens of ours, which say so themselves. What a page shows of one is shorter.
_OWN_TOKEN = re.compile(r"\b(tpa?_)[\w-]{16,}")
# As nats-server keeps passwords. It opens nothing, but it can be tried at home.
_BCRYPT = re.compile(r"(\$2[abxy]\$\d\d\$)[./A-Za-z0-9]{53}")


def redacted(text: str) -> str:
    """Return the text with URL passwords, values of secret-named fields and our tokens hidden."""
    text = _URL_PASSWORD.sub(r"\1:***@", text)
    for secret in (_OWN_TOKEN, _SECRETS, _NAMED_SECRET, _BCRYPT):
        text = secret.sub(r"\1***", text)
    return text
