"""How OKX speaks: v5."""

from pipeline.core.simulate.okx.mouth import Okx

__all__ = ["Okx"]
