"""
What is said on one link beside the data: the operator's script, subscriptions, pings.

Bytes and times in, bytes out; the receivers speak and listen.
"""

from __future__ import annotations

from pipeline.core.conversation.conversation import ACK_S, Conversation

__all__ = ["ACK_S", "Conversation"]
