"""What an Expert Advisor would send, from a state of ours; only for tests."""

from __future__ import annotations

import json
from decimal import Decimal

TYPES = {
    "BUY_LIMIT": 2, "SELL_LIMIT": 3, "BUY_STOP": 4, "SELL_STOP": 5,
    "BUY_STOP_LIMIT": 6, "SELL_STOP_LIMIT": 7,
}  # fmt: skip


def body(server, login, state, *, offset_s=0, connected=True, done=()):  # noqa: PLR0913  a push is wide
    """Return the push as the object that is sent."""
    return {
        "v": 1,
        "server_utc_offset": offset_s,
        "terminal": {"connected": connected},
        "account": {
            "login": int(login),
            "server": server,
            "balance": number(state.balance),
            "equity": number(state.equity),
            "profit": number(state.profit),
            "margin": number(state.margin),
            "margin_free": number(state.free_margin),
            "currency": state.currency,
            "currency_digits": state.currency_digits,
            "leverage": state.leverage,
        },
        "positions": [position(entry, offset_s) for entry in state.positions],
        "orders": [order(entry, offset_s) for entry in state.orders],
        "history_orders": [
            {"ticket": ticket, "state": state_code, "position_id": position_id}
            for ticket, state_code, position_id in done
        ],
    }


def position(entry, offset_s=0):
    return {
        "ticket": entry.ticket,
        "identifier": entry.key,
        "symbol": entry.symbol,
        "type": {"BUY": 0, "SELL": 1}[entry.side],
        "volume": number(entry.volume),
        "price_open": number(entry.open_price),
        "price_current": number(entry.current_price),
        "profit": number(entry.profit),
        "swap": number(entry.swap),
        "sl": number(entry.stop_loss or 0),
        "tp": number(entry.take_profit or 0),
        "time_msc": milliseconds(entry.open_time) + offset_s * 1000,
    }


def order(entry, offset_s=0):
    return {
        "ticket": entry.ticket,
        "symbol": entry.symbol,
        "type": TYPES[entry.type],
        "volume_initial": number(entry.volume),
        "volume_current": number(entry.volume),
        "price_open": number(entry.price),
        "price_current": number(entry.current_price),
        "time_setup_msc": milliseconds(entry.time) + offset_s * 1000,
        "state": 1,
    }


def encoded(push) -> bytes:
    """Return the push as bytes; decimals keep their digits."""
    text = json.dumps(push, default=lambda value: f"\0{value}\0")
    return text.replace('"\\u0000', "").replace('\\u0000"', "").encode()


def milliseconds(at):
    return round(at.timestamp() * 1000)


def number(value):
    return Decimal(value)
