"""
The Expert Advisor, as far as it can be judged without MetaEditor: what it sends is what we read,
under the names of MQL5, and it does nothing that it must not.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from django.conf import settings
from msgspec.structs import fields

from accounts.core import mt5
from tests.unit.accounts.test_mt5 import FIELDS

ROOT = Path(__file__).parents[3]
SOURCE = (ROOT / "mt5/TickplanePush.mq5").read_text()
README = (ROOT / "mt5/README.md").read_text()

COMMENT_OR_TEXT = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'')
# Without comments; and without what stands in quotes either.
CODE = COMMENT_OR_TEXT.sub(lambda m: "" if m[0].startswith("//") else m[0], SOURCE)
BARE = COMMENT_OR_TEXT.sub(lambda m: "" if m[0].startswith("//") else m[0][0] * 2, SOURCE)

# Which function writes which of our structs, and how MQL5's properties of it begin.
WRITERS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "TerminalJson": (mt5.TerminalInfo, "TERMINAL_"),
    "AccountJson": (mt5.AccountInfo, "ACCOUNT_"),
    "PositionJson": (mt5.TradePosition, "POSITION_"),
    "OrderJson": (mt5.TradeOrder, "ORDER_"),
    "HistoryOrderJson": (mt5.HistoryOrder, "ORDER_"),
    "DealJson": (mt5.TradeDeal, "DEAL_"),
}
ENUMERATED = {"type", "state", "reason", "type_time", "type_filling", "trade_mode", "margin_mode"}


def function(name: str) -> str:
    """Return the function's body; it ends at the first brace that is indented as its own."""
    found = re.search(rf"^\w+ {name}\(.*?\n  \{{\n(.*?)\n  \}}", CODE, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def written(name: str) -> dict[str, str]:
    """Return what a function writes under each key, as MQL5."""
    return dict(re.findall(r'Field\("(\w+)", (.*)\)$', function(name), re.MULTILINE))


def test_every_bracket_is_closed_by_its_own_kind():
    pairs = {")": "(", "]": "[", "}": "{"}
    open_: list[str] = []
    for character in BARE:
        if character in "([{":
            open_.append(character)
        elif character in pairs:
            assert open_.pop() == pairs[character]

    assert open_ == []
    assert BARE.count('"') % 2 == 0


def test_the_source_reads_the_same_in_every_alphabet():
    assert SOURCE.isascii()


@pytest.mark.parametrize("name", WRITERS)
def test_it_writes_whatever_we_need_and_nothing_that_metatrader_does_not_name(name):
    struct, _ = WRITERS[name]
    keys = written(name).keys()
    known = {mt5.TerminalInfo: "connected build", mt5.HistoryOrder: FIELDS[mt5.TradeOrder]}

    assert keys <= set((FIELDS | known)[struct].split())
    assert {field.encode_name for field in fields(struct)} <= keys


@pytest.mark.parametrize("name", WRITERS)
def test_each_key_holds_the_property_of_its_name(name):
    _, prefix = WRITERS[name]
    indirect = {"ticket", "connected", "currency_digits"}
    if name in ("PositionJson", "OrderJson"):
        assert f"GetString({prefix}SYMBOL)" in function(name)
        indirect.add("symbol")

    for key, value in written(name).items():
        if key not in indirect:
            assert re.search(rf"\b{prefix}{key.upper()}\b", value), key


@pytest.mark.parametrize("name", WRITERS)
def test_enumerations_and_times_go_out_as_whole_numbers(name):
    for key, value in written(name).items():
        if key in ENUMERATED or key.startswith("time"):
            assert re.fullmatch(
                r"IntegerToString\(\w+GetInteger\(.*\)\)|.*InfoInteger\(.*\)\)", value
            )


@pytest.mark.parametrize("name", WRITERS)
def test_text_is_quoted_and_numbers_are_finite_decimals(name):
    struct, _ = WRITERS[name]
    decimals = {
        f.encode_name for f in fields(struct) if "Decimal" in str(msgspec.inspect.type_info(f.type))
    }
    texts = {"symbol", "comment", "server", "currency"}

    for key, value in written(name).items():
        if key in texts:
            assert value.startswith("Quoted("), key
        if key in decimals:
            assert value.startswith(("Number(", "Exact(")), key


def test_the_envelope_is_ours():
    keys = {*written("StateJson"), *re.findall(r'Field\("(\w+)"', function("StateJson"))}
    keys |= set(re.findall(r'Field\("(\w+)"', function("Push")))
    keys |= set(re.findall(r'\\"(\w+)\\":1', function("Push")))

    assert keys == {field.encode_name for field in fields(mt5.Body)}
    assert '"{\\"v\\":1,"' in function("Push")
    assert mt5.VERSION == 1


def test_a_recorded_push_has_the_time_that_a_session_needs():
    assert 'Field("at", Quoted(UtcNow()))' in function("Record")


def test_it_stays_within_what_is_taken():
    limits = dict(re.findall(r"^#define (\w+) +(\d+)$", CODE, re.MULTILINE))

    assert int(limits["MOST_HISTORY_ORDERS"]) < mt5.MOST_ENTRIES
    assert int(limits["MOST_DEALS"]) < mt5.MOST_ENTRIES


def test_it_speaks_often_enough_not_to_be_taken_for_stale():
    heartbeat = re.search(r"InpHeartbeatSeconds\s*= (\d+);", CODE)

    assert heartbeat
    assert 2 * int(heartbeat[1]) < settings.ACCOUNT_STALE_S


def test_what_happens_in_the_market_is_only_noted_and_the_timer_sends():
    for name in ("OnTradeTransaction", "OnTrade"):
        assert function(name).strip() == "g_dirty = true;"
    assert CODE.count("WebRequest(") == 1
    assert "WebRequest(" in function("Sent")
    assert "Push(" in function("OnTimer")


def test_it_knows_the_tester_and_whether_the_broker_is_heard():
    assert "TerminalInfoInteger(TERMINAL_CONNECTED)" in function("Settled")
    assert "MQL_TESTER" in function("OnInit")


def test_it_cannot_trade():
    for name in ("OrderSend", "OrderSendAsync", "OrderClose", "CTrade", "#include", "#import"):
        assert name not in CODE


def test_the_token_is_in_the_header_and_nowhere_else():
    bodies = re.findall(r"^\w+ (\w+)\([^;{]*?\)\n  \{\n(.*?)\n  \}", BARE, re.DOTALL | re.MULTILINE)
    holding = {name for name, body in bodies if re.search(r"InpToken|\btoken\b|g_headers", body)}
    spoken = re.findall(r"\b(?:Print|Complain|Record|Alert|Comment)\(([^;]*)\);", BARE)

    assert holding == {"OnInit", "Sent"}
    assert len(spoken) > 10
    assert not [said for said in spoken if re.search(r"InpToken|\btoken\b|g_headers", said)]


def test_every_input_is_explained():
    inputs = re.findall(r"^input \w+\s+(\w+)", CODE, re.MULTILINE)

    assert len(inputs) == 9
    for name in inputs:
        assert f"| `{name}` |" in README
