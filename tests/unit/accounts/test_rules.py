from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.core import rules
from accounts.core.errors import BadState
from accounts.core.rules import RuleSpec

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def rule(text="drawdown daily amount 500", **changes) -> RuleSpec:
    kind, basis, unit, threshold = text.split()
    fields = {
        "id": 1,
        "name": "Limit",
        "kind": kind,
        "basis": basis,
        "unit": unit,
        "threshold": Decimal(threshold),
    }
    return RuleSpec(**(fields | changes))


class Account:
    """An account under rules, observed each second."""

    def __init__(self, *specs, equity="10000", balance=None, at=NOON):
        self.specs = specs
        self.trackers = rules.NONE
        self.at = at
        self.equity = self.balance = self.credit = Decimal(0)
        assert self.seen(equity, equity if balance is None else balance) == []

    def seen(self, equity, balance=None, *, after=SECOND, traded=False, credit=None):
        """Return the alerts of one more observation."""
        self.at += after
        self.equity = Decimal(equity)
        self.balance = self.balance if balance is None else Decimal(balance)
        self.credit = self.credit if credit is None else Decimal(credit)
        self.trackers, alerts = rules.judge(
            self.specs,
            # By way of the row, as the workers do.
            rules.restored(rules.stored(self.trackers)),
            equity=self.equity,
            balance=self.balance,
            credit=self.credit,
            at=self.at,
            traded=traded,
        )
        return alerts

    def paid(self, amount, *, drift="0", **options):
        """Return the alerts of a payment, while prices moved the equity by `drift`."""
        amount = Decimal(amount)
        return self.seen(self.equity + amount + Decimal(drift), self.balance + amount, **options)

    def closed(self, profit, **options):
        """Return the alerts of a trade that turned floating profit into balance."""
        return self.seen(self.equity, self.balance + Decimal(profit), **options)

    @property
    def reference(self):
        return self.trackers.by_rule[1].reference


# What each basis measures from


def test_a_daily_loss_counts_from_the_first_equity_of_the_day():
    account = Account(rule("drawdown daily amount 500"))

    assert account.seen("10400") == []
    assert account.seen("9500.01") == []
    [alert] = account.seen("9500")
    assert (alert.value, alert.reference) == (Decimal(500), Decimal(10000))


def test_a_loss_from_the_peak_counts_from_the_highest_equity():
    account = Account(rule("drawdown peak amount 500"))

    assert account.seen("10400") == []
    assert account.seen("9900.01") == []
    [alert] = account.seen("9900")
    assert (alert.value, alert.reference) == (Decimal(500), Decimal(10400))
    assert account.seen("9000", after=DAY) == []  # The peak outlives the day.


def test_a_loss_since_the_start_counts_over_days():
    account = Account(rule("drawdown start percent 5"))

    assert account.seen("9700", after=DAY) == []
    [alert] = account.seen("9500", after=DAY)
    assert (alert.value, alert.reference) == (Decimal(5), Decimal(10000))


def test_a_profit_is_told_as_a_loss_is():
    account = Account(rule("profit daily percent 2.5"))

    assert account.seen("9000") == []
    assert account.seen("10249.99") == []
    [alert] = account.seen("10250")
    assert (alert.type, alert.value) == ("profit", Decimal("2.5"))


# When it speaks


def test_a_rule_speaks_once_and_again_only_after_nine_tenths_of_the_way_back():
    account = Account(rule("drawdown start amount 500"))

    assert len(account.seen("9500")) == 1
    assert account.seen("9000") == []
    assert account.seen("9549.99") == []
    assert account.seen("9500") == []
    assert account.seen("9550") == []  # Recovered.
    assert len(account.seen("9500")) == 1


def test_a_daily_rule_speaks_again_on_another_day():
    account = Account(rule("drawdown daily amount 500"))
    assert len(account.seen("9500")) == 1

    assert account.seen("9400", after=DAY) == []
    assert account.seen("8900.01") == []
    assert len(account.seen("8900")) == 1


def test_a_day_is_utcs():
    account = Account(
        rule("drawdown daily amount 500"), at=NOON.replace(hour=23, minute=59, second=57)
    )
    assert account.seen("9600") == []  # 23:59:59
    assert account.seen("9500") == []  # 00:00:00 begins the new day.

    assert account.reference == 9500


def test_an_observation_from_before_midnight_does_not_bring_yesterday_back():
    account = Account(rule("drawdown daily amount 500"), at=NOON.replace(hour=0, minute=0))
    assert len(account.seen("9500")) == 1

    assert account.seen("9500", after=-2 * SECOND) == []
    assert account.seen("9500", after=2 * SECOND) == []
    assert account.reference == 10000


def test_a_clock_that_was_put_back_for_days_begins_anew():
    account = Account(rule("drawdown daily amount 500"))

    account.seen("9000", after=-10 * DAY)

    assert account.reference == 9000


def test_each_rule_has_its_own_say():
    account = Account(
        rule("drawdown daily amount 500", id=1, level="warning"),
        rule("drawdown daily percent 10", id=2, level="critical"),
        rule("profit start amount 100", id=3),
    )

    assert [a.rule_id for a in account.seen("9500")] == [1]
    assert [(a.rule_id, a.level) for a in account.seen("9000")] == [(2, "critical")]
    assert [a.rule_id for a in account.seen("10100")] == [3]


# Payments


@pytest.mark.parametrize("basis", ["daily", "peak", "start"])
def test_a_deposit_hides_no_loss(basis):
    account = Account(rule(f"drawdown {basis} amount 500"))
    assert account.seen("9600", "10000") == []

    assert account.paid("5000") == []

    assert account.seen("14500.01") == []
    assert len(account.seen("14500")) == 1


@pytest.mark.parametrize("basis", ["daily", "peak", "start"])
def test_a_withdrawal_is_no_loss(basis):
    account = Account(rule(f"drawdown {basis} amount 500"))

    assert account.paid("-9000") == []

    assert account.seen("500.01") == []
    assert len(account.seen("500")) == 1


def test_a_deposit_is_no_profit():
    account = Account(rule("profit start amount 500"))

    assert account.paid("5000") == []

    assert account.seen("15499.99") == []
    assert len(account.seen("15500")) == 1


@pytest.mark.parametrize("basis", ["daily", "peak", "start"])
@pytest.mark.parametrize("payment", ["5000", "-4000"])
def test_a_payment_leaves_a_percentage_what_it_was(basis, payment):
    account = Account(rule(f"drawdown {basis} percent 10"))
    assert account.seen("9000.01", "10000") == []

    assert account.paid(payment) == []

    edge = account.equity * 9000 / Decimal("9000.01")
    assert account.seen(edge + Decimal("0.01")) == []
    assert len(account.seen(edge - Decimal("0.01"))) == 1


def test_prices_may_move_a_little_while_money_is_paid():
    account = Account(rule("drawdown start amount 500"), equity="9700", balance="10000")

    assert account.paid("-2000", drift="-150") == []

    assert account.reference == 7700
    assert len(account.seen("7200")) == 1


def test_a_closed_trade_is_no_payment():
    account = Account(rule("drawdown start amount 500"), equity="10000", balance="10000")
    assert account.seen("9600", "10000") == []

    assert account.closed("-400") == []

    assert account.reference == 10000
    assert len(account.seen("9500", traded=False)) == 1


def test_a_stop_loss_that_slips_is_no_withdrawal():
    """The floating loss was 100; the trade closed at 300."""
    account = Account(rule("drawdown start amount 300"))
    assert account.seen("9900", "10000") == []

    assert len(account.seen("9700", "9700")) == 1


def test_a_known_trade_explains_any_jump():
    account = Account(rule("drawdown start amount 300"))

    assert len(account.seen("9700", "9700", traded=True)) == 1


def test_a_jump_after_a_long_silence_counts():
    account = Account(rule("drawdown start amount 300"))

    assert len(account.paid("-300", after=rules.LONGEST_SILENCE + SECOND)) == 1


def test_credit_is_a_payment():
    account = Account(rule("drawdown start amount 300"), rule("profit start amount 300", id=2))

    assert account.seen("10300", credit="300") == []
    assert account.paid("200") == []
    assert account.seen("10200", credit="0") == []

    assert account.reference == 10200


def test_a_deposit_and_a_bonus_at_once_are_payments():
    account = Account(rule("profit start amount 300"))

    assert account.seen("15000", "14000", credit="1000") == []

    assert account.reference == 15000


# Percent of nothing


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_a_percentage_of_nothing_is_not_judged(equity):
    account = Account(rule("drawdown start percent 5"), equity=equity)

    assert account.seen("-1000") == []


def test_an_account_that_is_emptied_and_filled_is_judged_again():
    account = Account(rule("drawdown start percent 5"))
    assert account.paid("-10000") == []
    assert account.paid("2000") == []

    assert account.reference == 2000
    assert len(account.seen("1900")) == 1


# Rules that come, change and go


def test_a_rule_that_is_gone_is_forgotten():
    account = Account(rule(), rule(id=2))
    account.specs = (rule(id=2),)

    account.seen("9000")

    assert list(account.trackers.by_rule) == [2]


def test_without_rules_nothing_is_kept():
    account = Account(rule())
    account.specs = ()

    assert account.seen("1") == []
    assert rules.stored(account.trackers) == ""


@pytest.mark.parametrize(
    "text",
    ["drawdown daily amount 600", "drawdown daily percent 500", "drawdown peak amount 500",
     "profit daily amount 500"],
)  # fmt: skip
def test_a_rule_with_another_meaning_begins_anew(text):
    account = Account(rule("drawdown daily amount 500"))
    account.specs = (rule(text),)

    assert account.seen("5000") == []

    assert account.reference == 5000


@pytest.mark.parametrize(
    "changes", [{"name": "Other"}, {"level": "critical"}, {"threshold": Decimal("500.0000")}]
)
def test_a_rule_with_another_name_goes_on(changes):
    account = Account(rule())
    account.specs = (rule(**changes),)

    assert len(account.seen("9500")) == 1


# What it says


def test_an_alert_tells_the_figures():
    account = Account(
        rule("drawdown peak percent 5", name="House limit"), equity="12345.60", balance="12345.60"
    )

    [alert] = account.seen("11234.49")

    assert alert.text == (
        "House limit: equity 11,234.49 is 9.00 % below 12,345.60, the highest equity seen;"
        " the limit is 5 %"
    )
    assert alert.level == "warning"
    assert alert.type == "drawdown"
    assert (alert.basis, alert.unit) == ("peak", "percent")
    assert alert.threshold == 5


def test_an_alert_about_an_amount_has_the_digits_of_the_money():
    account = Account(rule("profit start amount 0.0005"), equity="1.00000000")

    [alert] = account.seen("1.00050000")

    assert alert.text == (
        "Limit: equity 1.00050000 is 0.00050000 above 1.00000000, the equity when the rule began;"
        " the limit is 0.0005"
    )


def test_an_account_that_began_with_next_to_nothing_may_win_any_percentage():
    account = Account(rule("profit start percent 1"), equity="0.0000000001")

    [alert] = account.seen("999999999999999")

    assert alert.value > 10**26
    assert f"{alert.value:,f} %" in alert.text


# Whatever comes


money = st.decimals(-(10**15), 10**15, places=10) | st.sampled_from(
    [Decimal("1E-10"), Decimal("-0"), Decimal(0), Decimal(10) ** 15 - 1]
)


@given(
    st.lists(st.tuples(money, money, money, st.integers(-(10**6), 10**6), st.booleans())),
    st.decimals("0.0001", 10**13, places=4),
)
def test_nothing_that_is_money_breaks_a_rule(observations, threshold):
    specs = [
        rule(f"{kind} {basis} {unit} {threshold}", id=number)
        for number, (kind, basis, unit) in enumerate(
            (kind, basis, unit)
            for kind in ("drawdown", "profit")
            for basis in ("daily", "peak", "start")
            for unit in ("amount", "percent")
        )
    ]
    trackers, at = rules.NONE, NOON
    for equity, balance, credit, seconds, traded in observations:
        at += seconds * SECOND
        trackers, alerts = rules.judge(
            specs, trackers, equity=equity, balance=balance, credit=credit, at=at, traded=traded
        )

        assert rules.restored(rules.stored(trackers)) == trackers
        assert all(alert.text for alert in alerts)


@given(st.lists(st.integers(1, 20_000), max_size=60), st.integers(1, 5_000))
def test_alerts_and_recoveries_take_turns(equities, threshold):
    account = Account(rule(f"drawdown start amount {threshold}"))
    silent = False
    for equity in equities:
        lost = 10_000 - equity
        expected = lost >= threshold and not silent

        assert len(account.seen(equity)) == expected
        silent = lost * 10 > threshold * 9 if silent or expected else False


@given(
    st.lists(
        st.tuples(st.sampled_from(["move", "pay", "close"]), st.integers(-900, 900)), max_size=40
    )
)
def test_payments_change_no_verdict_on_amounts(steps):
    """The same account, with and without its payments, raises the same alerts."""
    specs = [
        rule(f"drawdown {basis} amount 300", id=n) for n, basis in enumerate(("peak", "start"))
    ]
    paid, plain = Account(*specs, equity="1000000"), Account(*specs, equity="1000000")
    for what, amount in steps:
        if what == "move":
            answers = [a.seen(a.equity + amount) for a in (paid, plain)]
        elif what == "close":
            answers = [a.closed(amount) for a in (paid, plain)]
        else:
            answers = [paid.paid(amount * 10), plain.seen(plain.equity)]

        assert [a.rule_id for a in answers[0]] == [a.rule_id for a in answers[1]]


@pytest.mark.parametrize("text", ["{", "null", "[1]", '["x"]', '[null,"a"]'])
def test_a_row_that_holds_no_trackers_is_refused(text):
    with pytest.raises(BadState, match="trackers"):
        rules.restored(text)
