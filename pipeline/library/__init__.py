"""
The pipeline inside another program: sources in, protobuf out, without Django and without a broker.

    RealTimeDataPipeline    what a program holds
      Supervisor            keeps the sources running; see `pipeline.supervise`
        *Stages             what the frames of one source go through, timed
          Outlet            where one source ends
            Aggregate       what nobody has taken yet, of all of them
"""

from pipeline.library.pipeline import RealTimeDataPipeline

__all__ = ["RealTimeDataPipeline"]
