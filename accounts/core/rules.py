"""
When an account has lost, or gained, more than a rule allows.

    drawdown    how far equity is below the rule's reference
    profit      how far it is above

    daily       the reference is the equity of the day's first observation, UTC
    peak        the highest equity since the rule first saw the account (drawdown only)
    start       the equity when the rule first saw the account

A rule speaks once when its threshold is reached, and again only after the loss or gain has gone
back to nine tenths of it, or, with `daily`, on another day.

Money that is paid in or out is no profit and no loss: it moves the references. A terminal says only
what balance and equity are, so a payment is inferred: the balance jumps, no trade is known in
between, and the floating profit stays about where it was (a closed trade would have taken its
profit out of it). An amount rule's reference moves by the payment; a percent rule's is scaled with
it, so that the percentage stays what it was. What cannot be told apart counts as profit or loss,
which at worst is an alert too many: a payment together with a trade, or during a silence of more
than `LONGEST_SILENCE`. The other way round, a trade that was opened and closed between two
observations, and that nobody told us of, looks like a payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from accounts.core.errors import BadState

Kind = Literal["drawdown", "profit"]
Basis = Literal["daily", "peak", "start"]
Unit = Literal["amount", "percent"]
Level = Literal["info", "warning", "error", "critical"]

# Changes after which a jump of the balance is a trade's: see core.events.
TRADES = frozenset(
    {"position.opened", "position.closed", "position.volume_changed", "order.executed"}
)
LONGEST_SILENCE = timedelta(minutes=5)
# A payment leaves the floating profit alone; in the meantime it may drift by this part of it.
_DRIFT = Decimal("0.1")
_RECOVERED = Decimal("0.9")
_HUNDRED = Decimal(100)
# More digits than any money has; a scaled reference would have 28.
_KEPT = Decimal("1E-8")
_NOTHING = Decimal(0)
# Beyond this an amount is no money.
_LIMIT = Decimal(10) ** 15
# A percentage of next to nothing has more digits than the usual context rounds.
_WIDE = Context(prec=60)


class RuleSpec(Struct, frozen=True, kw_only=True):
    """A limit. `threshold` is above zero, in the account's currency or in percent."""

    id: int
    name: str
    kind: Kind
    basis: Basis
    unit: Unit
    threshold: Decimal
    level: Level = "warning"
    # What the rule measures; when that changes, it begins anew.
    definition: str = ""

    def __post_init__(self) -> None:
        definition = f"{self.kind} {self.basis} {self.unit} {self.threshold.normalize():f}"
        msgspec.structs.force_setattr(self, "definition", definition)


class Tracker(Struct, frozen=True, array_like=True):
    """What one rule remembers. `day` counts days as `datetime.toordinal` does."""

    definition: str
    reference: Decimal
    day: int
    breached: bool = False


class Trackers(Struct, frozen=True, array_like=True):
    """What an account's rules remember: its last observation, and each rule's own, by its id."""

    at: datetime | None = None
    equity: Decimal = Decimal(0)
    balance: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    by_rule: dict[int, Tracker] = {}


class Alert(Struct, frozen=True, kw_only=True):
    """
    One rule that was broken. `level` and `type` go into `system.alert.{level}.{type}`.

    `value` and `threshold` are in the rule's unit, `reference` and `equity` in the currency.
    """

    rule_id: int
    rule: str
    level: Level
    type: Kind
    basis: Basis
    unit: Unit
    value: Decimal
    threshold: Decimal
    reference: Decimal
    equity: Decimal
    text: str


NONE = Trackers()


def judge(  # noqa: PLR0913  each is a different thing, and all but two are keywords
    rules: Sequence[RuleSpec],
    trackers: Trackers,
    *,
    equity: Decimal,
    balance: Decimal,
    at: datetime,
    credit: Decimal = Decimal(0),
    traded: bool = False,
) -> tuple[Trackers, list[Alert]]:
    """
    Return what the rules remember now, and what they have to say.

    Rules that are not among `rules` are forgotten.

    Args:
        at: When the account was seen; any time zone.
        credit: A part of the equity that the broker lends; its changes are payments.
        traded: A trade is known since the last observation: see `TRADES`.
    """
    if not rules:
        return NONE, []
    at = at.astimezone(UTC)
    day = at.toordinal()
    payment = _payment(trackers, equity, balance, credit, at, traded=traded)
    alerts: list[Alert] = []
    by_rule: dict[int, Tracker] = {}
    for rule in rules:
        tracker = trackers.by_rule.get(rule.id)
        if tracker is None or tracker.definition != rule.definition:
            by_rule[rule.id] = Tracker(rule.definition, equity, day)
            continue
        reference = tracker.reference
        if payment:
            reference = _moved(reference, payment, trackers.equity, rule.unit)
        breached = tracker.breached
        # A step back of one day is a late observation around midnight, more is a corrected clock.
        if rule.basis == "daily" and not tracker.day - 1 <= day <= tracker.day:
            by_rule[rule.id] = Tracker(rule.definition, equity, day)
            continue
        if rule.basis == "peak" and equity > reference:
            reference = equity
        value = _value(rule, reference, equity)
        if value is None:
            breached = False
        elif breached:
            breached = value > rule.threshold * _RECOVERED
        elif value >= rule.threshold:
            breached = True
            alerts.append(_alert(rule, value, reference, equity))
        by_rule[rule.id] = Tracker(rule.definition, reference, tracker.day, breached)
    return Trackers(at, equity, balance, credit, by_rule), alerts


def stored(trackers: Trackers) -> str:
    """Return the trackers as JSON, for a row; empty where nothing is remembered."""
    return _encode(trackers).decode() if trackers.by_rule else ""


def restored(text: str) -> Trackers:
    """
    Return the trackers that `stored` wrote.

    Raises:
        BadState: They are none.
    """
    if not text:
        return NONE
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ArithmeticError) as e:
        raise BadState(f"trackers: {e}") from e


def _payment(  # noqa: PLR0913  each is a different thing
    before: Trackers,
    equity: Decimal,
    balance: Decimal,
    credit: Decimal,
    at: datetime,
    *,
    traded: bool,
) -> Decimal:
    """Return what was paid in since the last observation, below zero when it was paid out."""
    if before.at is None:
        return _NOTHING
    lent = credit - before.credit
    jump = balance - before.balance
    if not jump or traded or abs(at - before.at) > LONGEST_SILENCE:
        return lent
    drift = equity - before.equity - jump - lent
    return lent + jump if abs(drift) <= abs(jump) * _DRIFT else lent


def _moved(reference: Decimal, payment: Decimal, equity: Decimal, unit: Unit) -> Decimal:
    """Return the reference after a payment; `equity` is what there was before it."""
    if unit == "percent" and equity > 0 and equity + payment > 0:
        scaled = reference * (equity + payment) / equity
        # The first payment into an account with next to nothing in it says nothing about percent.
        if abs(scaled) < _LIMIT:
            return scaled.quantize(_KEPT, ROUND_HALF_EVEN)
    return reference + payment


def _value(rule: RuleSpec, reference: Decimal, equity: Decimal) -> Decimal | None:
    """Return the loss or gain in the rule's unit; None where a percentage means nothing."""
    change = equity - reference if rule.kind == "profit" else reference - equity
    if rule.unit == "amount":
        return change
    return None if reference <= 0 else change * _HUNDRED / reference


_SINCE = {
    "daily": "the equity at the start of the day (UTC)",
    "peak": "the highest equity seen",
    "start": "the equity when the rule began",
}


def _alert(rule: RuleSpec, value: Decimal, reference: Decimal, equity: Decimal) -> Alert:
    digits = _digits(equity)
    value = value.quantize(
        Decimal("0.01") if rule.unit == "percent" else Decimal(1).scaleb(-digits),
        # A percentage of next to nothing has more digits than the usual context keeps.
        context=_WIDE,
    )
    reference = reference.quantize(Decimal(1).scaleb(-digits))
    side = "above" if rule.kind == "profit" else "below"
    sign = " %" if rule.unit == "percent" else ""
    text = (
        f"{rule.name}: equity {equity:,.{digits}f} is {value:,f}{sign} {side}"
        f" {reference:,f}, {_SINCE[rule.basis]}; the limit is {rule.threshold.normalize():,f}{sign}"
    )
    return Alert(
        rule_id=rule.id,
        rule=rule.name,
        level=rule.level,
        type=rule.kind,
        basis=rule.basis,
        unit=rule.unit,
        value=value,
        threshold=rule.threshold,
        reference=reference,
        equity=equity,
        text=text,
    )


def _digits(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return min(8, max(0, -exponent)) if isinstance(exponent, int) else 2


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Trackers).decode
