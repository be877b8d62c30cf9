"""
Keeps one nats-server running, as its node wants it.

A configuration is tried by the server itself before it replaces the one that runs. What a running
server can take is loaded into it; what needs a restart waits until somebody asks for one.
"""

from __future__ import annotations

from streams.supervise.checking import ConfigurationRefused
from streams.supervise.folder import AlreadySupervised, check_file
from streams.supervise.process import end_with_parent
from streams.supervise.standing import Standing
from streams.supervise.store import carry_over
from streams.supervise.supervisor import Supervisor

__all__ = [
    "AlreadySupervised",
    "ConfigurationRefused",
    "Standing",
    "Supervisor",
    "carry_over",
    "check_file",
    "end_with_parent",
]
