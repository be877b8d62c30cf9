"""
Market data: from a source's socket to acknowledged JetStream storage.

What is listed in __all__ is the library: it needs neither Django nor a broker, and is imported when
it is first asked for, because this file is also the door of a Django app.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.core.library.config import DataSourceConfig
    from pipeline.core.library.converter import ProtobufFactory
    from pipeline.core.library.deserializer import ZeroCopyDeserializer
    from pipeline.library import RealTimeDataPipeline

__all__ = ["DataSourceConfig", "ProtobufFactory", "RealTimeDataPipeline", "ZeroCopyDeserializer"]

_PLACES = {
    "DataSourceConfig": "pipeline.core.library.config",
    "ProtobufFactory": "pipeline.core.library.converter",
    "RealTimeDataPipeline": "pipeline.library",
    "ZeroCopyDeserializer": "pipeline.core.library.deserializer",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
