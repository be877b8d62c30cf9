"""What an operator types about streams, consumers and servers."""

from __future__ import annotations
