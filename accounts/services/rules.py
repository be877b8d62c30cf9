"""The rules that hold for an account: its own and its group's."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from time import monotonic

import msgspec

from accounts.core.rules import RuleSpec
from accounts.models import Account, Rule

logger = logging.getLogger(__name__)

# How long a change of a rule may take to be noticed; a process asks the database no more often.
FRESH_S = 5.0


class _Book:
    """All enabled rules, as this process last read them."""

    def __init__(self) -> None:
        self.read_at = float("-inf")
        self.of_account: dict[int, list[RuleSpec]] = {}
        self.of_group: dict[int, list[RuleSpec]] = {}

    def read(self, now: float) -> None:
        of_account: dict[int, list[RuleSpec]] = defaultdict(list)
        of_group: dict[int, list[RuleSpec]] = defaultdict(list)
        for rule, spec in _specs():
            if rule.account_id is not None:
                of_account[rule.account_id].append(spec)
            elif rule.group_id is not None:
                of_group[rule.group_id].append(spec)
        # Plain dictionaries, exchanged whole: another thread may be reading the old ones.
        self.of_account, self.of_group = dict(of_account), dict(of_group)
        self.read_at = now


_book = _Book()


def rules_of(account: Account) -> Sequence[RuleSpec]:
    """Return the enabled rules of the account and of its group; at most `FRESH_S` old."""
    now = monotonic()
    if now - _book.read_at >= FRESH_S:
        _book.read(now)
    own = _book.of_account.get(account.pk, ())
    if account.group_id is None:
        return own
    shared = _book.of_group.get(account.group_id, ())
    return [*own, *shared] if own and shared else own or shared


def forget() -> None:
    """Read the rules again when they are next asked for."""
    _book.read_at = float("-inf")


def _specs() -> Iterator[tuple[Rule, RuleSpec]]:
    for rule in Rule.objects.filter(enabled=True).order_by("id"):
        try:
            yield rule, msgspec.convert(rule, RuleSpec, from_attributes=True)
        except msgspec.ValidationError as e:
            # A row that no form wrote. It must not silence the rules of all others.
            logger.warning("rule %d is left out: %s", rule.pk, e)
