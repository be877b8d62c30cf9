"""
Whom a connection to NATS trusts, and what it shows: files, named in the URL itself.

    tls://host:4222?ca=/etc/nats/ca.pem&cert=/etc/nats/client.pem&key=/etc/nats/client.key

So every process that is given the URL connects alike. The address's query never reaches the server.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl

from streams.core.errors import BrokerAway

KNOWN = ("ca", "cert", "key")


def trusted(servers: Sequence[SplitResult]) -> ssl.SSLContext | None:
    """
    Return what the first of the URLs with a query asks for; None where none has any.

    Raises:
        BrokerAway: It names something unknown, only half of a certificate, or a file that is none.
    """
    query = next((parts.query for parts in servers if parts.query), "")
    files = dict(parse_qsl(query, keep_blank_values=True))
    if not files:
        return None
    if unknown := sorted(set(files) - set(KNOWN)):
        raise BrokerAway(f"NATS_URL: {unknown[0]} is not known; there are {', '.join(KNOWN)}")
    if ("cert" in files) != ("key" in files):
        raise BrokerAway("NATS_URL: cert and key go together")
    context = _authorities(files.get("ca"))
    if "cert" in files:
        try:
            context.load_cert_chain(files["cert"], files["key"])
        except (OSError, ValueError) as e:
            raise BrokerAway(
                f"NATS_URL: cert {files['cert']} and key {files['key']} cannot be used: {_why(e)}"
            ) from e
    return context


def _authorities(file: str | None) -> ssl.SSLContext:
    try:
        # Without a file: those that the system trusts.
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as e:
        raise BrokerAway(f"NATS_URL: ca {file} cannot be used: {_why(e)}") from e


def _why(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
