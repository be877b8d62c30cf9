"""
Keep every source running: restarted alone, for ever.

    Supervisor      the sources of one worker
      Source        one of them: what it subscribes to, and over how many links
        Slot        one place for a link: opened, lost, tried again, renewed
          Link      one connection, while it lasts
            Line    what is said on it and who hears
      Desk          the calls to one REST address, for all sources
      Table         the symbols of one venue
"""

from __future__ import annotations

from pipeline.supervise.means import Means, Voice
from pipeline.supervise.slot import Patience
from pipeline.supervise.source import Source
from pipeline.supervise.supervisor import Supervisor

__all__ = ["Means", "Patience", "Source", "Supervisor", "Voice"]
