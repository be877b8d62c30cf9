"""What tells that a certificate was replaced by one of the same name."""

from __future__ import annotations

from pathlib import Path

from streams.core.serverconf import NodeConfiguration, Tls

# Of each certificate file: its path, change time and size.
Stamp = tuple[tuple[str, int, int], ...]


def stamp(c: NodeConfiguration) -> Stamp:
    """Return what changes with the files of a configuration's certificates."""
    paths = [path for tls in (c.tls, c.routes and c.routes.tls) if tls for path in _files(tls)]
    found = []
    for path in paths:
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            continue  # The server's own check says so better.
        found.append((path, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _files(tls: Tls) -> list[str]:
    return [path for path in (tls.cert_file, tls.key_file, tls.ca_file) if path]
