"""
What can go wrong with accounts.

* AccountsError
    * BadState          permanent; a provider handed over something that is no account state
    * BadTransition     permanent; the lifecycle's table has no such way
    * VaultError        a password cannot be sealed or opened
        * NoKey         permanent; no key is set
        * Unopened      permanent; none of the keys opens it
    * BadInterval       permanent; somebody asked for bars of a length that there is not
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


class BadTransition(AccountsError):
    """The lifecycle has no such way from where the account is."""

    permanent = True


class VaultError(AccountsError):
    """A password cannot be sealed or opened. The text never holds it."""

    permanent = True


class NoKey(VaultError):
    """TICKPLANE_ACCOUNT_KEYS is empty."""


class Unopened(VaultError):
    """None of the keys opens it."""


class BadInterval(AccountsError):
    """Bars of this length cannot be had."""

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
