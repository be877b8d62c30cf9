"""Where the state of an account that does not push comes from."""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from msgspec.structs import replace

from accounts.core import session, simulate
from accounts.core.errors import BadState
from accounts.core.state import AccountState, DoneOrder
from accounts.models import Account

# A recorded session is read whole.
LARGEST_SESSION = 64 * 1024 * 1024
BUSY = "busy"


@dataclass(frozen=True)
class Heard:
    """
    A state, how orders ended lately, and why the terminal does not hear its broker, if so.
    """

    state: AccountState
    done: Sequence[DoneOrder] = ()
    trouble: str = ""


Provider = Callable[[Account, datetime], Heard]


def ask(account: Account, now: datetime) -> Heard:
    """
    Return what the account's provider says at this moment.

    Raises:
        AccountsError: The provider has none, and why.
    """
    return PROVIDERS[account.provider](account, now)


def _simulated(account: Account, now: datetime) -> Heard:
    found = simulate.state_at(
        str(account.login),
        account.server,
        now,
        leverage=account.leverage,
        **({"busy": True} if account.source == BUSY else {}),
    )
    if account.currency != found.currency:
        found = replace(found, currency=account.currency)
    return Heard(found)


def _recorded(account: Account, now: datetime) -> Heard:
    path = Path(settings.ACCOUNT_SESSIONS) / account.source
    if not account.source or path.parent != Path(settings.ACCOUNT_SESSIONS):
        raise BadState("source must be the name of a file in the folder of recorded sessions")
    try:
        found = path.stat()
    except OSError as e:
        raise BadState(f"the recorded session {account.source} cannot be read: {e.strerror}") from e
    if not stat.S_ISREG(found.st_mode):
        # A pipe would keep the whole shard waiting.
        raise BadState(f"the recorded session {account.source} is no file")
    since_s = (now - account.lifecycle_since).total_seconds()
    played = _session(path, found.st_mtime_ns)
    if isinstance(played, str):
        raise BadState(played)
    said = session.push_at(played, max(0.0, since_s))
    if said.state is None:
        raise BadState("the recorded terminal was not connected to its broker")
    named = {name: getattr(account, name) for name in said.left_out}
    return Heard(replace(said.state, **named) if named else said.state, said.done)


@lru_cache(maxsize=64)
def _session(path: Path, changed_ns: int) -> session.Session | str:
    """
    Return the session, or why it cannot be played.

    Either is remembered: a file that is read at every tick would hold up its whole shard.

    Raises:
        BadState: It cannot be read now, which may pass.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(LARGEST_SESSION + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as e:
        return f"the recorded session {path.name} cannot be read: {e}"
    except OSError as e:
        raise BadState(f"the recorded session {path.name} cannot be read: {e.strerror}") from e
    if len(data) > LARGEST_SESSION:
        return f"the recorded session {path.name} has more than {LARGEST_SESSION} bytes"
    try:
        return session.session(data.splitlines())
    except BadState as e:
        return str(e)


# A terminal that pushes is not asked: what it last said stands in its row.
PROVIDERS: Mapping[str, Provider] = {
    Account.Provider.SIMULATOR: _simulated,
    Account.Provider.RECORDING: _recorded,
}
