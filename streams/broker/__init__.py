"""The shell around NATS: connections, JetStream's API, the publisher. No Django."""

import contextlib
import sys

# The client loads aiohttp wherever that is installed, for NATS over WebSockets, which we do not
# speak: 8 MB in each process. The pipeline has it installed, for REST.
if "nats.aio.transport" not in sys.modules and "aiohttp" not in sys.modules:
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    try:
        # A client that was overwritten: `installation` has the words for it.
        with contextlib.suppress(ImportError):
            import nats.aio.transport  # noqa: F401
    finally:
        del sys.modules["aiohttp"]
