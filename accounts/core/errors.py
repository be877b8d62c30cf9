"""
What can go wrong with accounts.

* AccountsError
    * BadState          permanent; a provider handed over something that is no account state
    * PublishError      messages did not leave
        * BrokerAway    not reachable now, or no answer in time; trying again helps
        * QueueDiffers  permanent; the queue exists with other arguments
        * BadAddress    permanent; a broker's URL cannot be used
"""

from __future__ import annotations

from typing import ClassVar


class AccountsError(Exception):
    """Base class. `permanent` says whether trying again can help."""

    permanent: ClassVar[bool] = False


class BadState(AccountsError):
    """A provider, or a stored row, holds something that is no account state."""

    permanent = True


class PublishError(AccountsError):
    """The messages did not leave."""


class BrokerAway(PublishError):
    """The broker cannot be reached, or did not answer in time."""


class QueueDiffers(PublishError):
    """A queue of the name exists, but was declared with other arguments than ours."""

    permanent = True


class BadAddress(PublishError):
    """A broker's URL cannot be used. The text never holds it: it may carry a password."""

    permanent = True
