"""Where a source's WebSocket and REST are: as declared, else the venue's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import structs

from pipeline.core.spec import SourceSpec
from pipeline.core.venues.venue import Venue


def completed(spec: SourceSpec, venue: type[Venue]) -> SourceSpec:
    """
    Return the source with its addresses filled in.

    An endpoint that is not the venue's has no REST unless one is declared: the books of a
    simulator, a replay or a test network are not those of the venue.
    """
    endpoint = spec.endpoint or venue.websocket_url
    rest_endpoint = spec.rest_endpoint
    if not rest_endpoint and _host(endpoint) == _host(venue.websocket_url):
        rest_endpoint = venue.rest_url
    return structs.replace(spec, endpoint=endpoint, rest_endpoint=rest_endpoint.rstrip("/"))


def _host(url: str) -> str | None:
    return urlsplit(url).hostname
