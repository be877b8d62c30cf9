"""
What can go wrong with accounts.

* AccountsError
    * BadState          permanent; a provider handed over something that is no account state
    * BadTransition     permanent; the lifecycle's table has no such way
    * VaultError        a password cannot be sealed or opened
        * NoKey         permanent; no key is set
        * Unopened      permanent; none of the keys opens it
    * Conflict          permanent; what is asked for does not go with what is there
    * BadInterval       permanent; somebody asked for bars of a length that there is not
    * PublishError      messages did not leave
        * BrokerAway    not reachable now, or no answer in time; trying again helps
        * BadAddress    permanent; a broker's URL cannot be used
        * PublisherForked  permanent; the publisher was open when the process forked
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


class Conflict(AccountsError):
    """What is asked for does not go with what is there, such as a second record of a name."""

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


class BadShards(AccountsError):
    """What was asked for names no part of the shards."""

    permanent = True


class PublishError(AccountsError):
    """The messages did not leave."""


class BrokerAway(PublishError):
    """The broker cannot be reached, or did not answer in time."""


class BadAddress(PublishError):
    """A broker's URL cannot be used. The text never holds it: it may carry a password."""

    permanent = True


class PublisherForked(PublishError):
    """
    This publisher was open when the process forked; its connection belongs to the parent.

    Two processes on one connection eat each other's confirms. Make a new one in the child.
    """

    permanent = True
