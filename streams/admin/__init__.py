"""The operator's pages of NATS."""

from __future__ import annotations

from streams.admin import streams as streams
