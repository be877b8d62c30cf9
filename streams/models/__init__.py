"""
The records of NATS. What `services` alone writes stands below what an operator writes.
"""

from __future__ import annotations

from streams.models.record import Advisory, Backup, BrokerAct, SubjectTemplate
from streams.models.server import BrokerUser, Cluster, Node, TlsFiles
from streams.models.stream import Declared, Policy, Standing, Stream, StreamConsumer

__all__ = [
    "Advisory",
    "Backup",
    "BrokerAct",
    "BrokerUser",
    "Cluster",
    "Declared",
    "Node",
    "Policy",
    "Standing",
    "Stream",
    "StreamConsumer",
    "SubjectTemplate",
    "TlsFiles",
]
