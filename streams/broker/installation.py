"""
Refuses to work with a NATS client that another distribution has overwritten.

`asyncio-nats-client` is the old name of nats-py. Both install the package `nats`, so whichever came
last has replaced the other's files: what is left is a mixture of two versions that fails later, in
odd places, for example with "got an unexpected keyword argument 'loop'".
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from streams.core.errors import WrongClient

INTRUDER = "asyncio-nats-client"
REMEDY = f"pip uninstall --yes {INTRUDER} && pip install --force-reinstall --no-deps nats-py"


@cache
def refuse_intruder() -> None:
    """
    Raises:
        WrongClient: It is installed. The text says what to do.
    """
    try:
        found = version(INTRUDER)
    except PackageNotFoundError:
        return
    raise WrongClient(
        f"The distribution {INTRUDER} {found} is installed; it has overwritten files of nats-py. "
        f"Nothing may be trusted to NATS like that. Run: {REMEDY}"
    )
