"""How Deribit speaks: JSON-RPC, v2."""

from pipeline.core.simulate.deribit.mouth import Deribit

__all__ = ["Deribit"]
