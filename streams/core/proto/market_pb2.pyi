from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Aggressor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGRESSOR_UNKNOWN: _ClassVar[Aggressor]
    AGGRESSOR_BUYER: _ClassVar[Aggressor]
    AGGRESSOR_SELLER: _ClassVar[Aggressor]

class Flag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLAG_NONE: _ClassVar[Flag]
    FLAG_SNAPSHOT: _ClassVar[Flag]
    FLAG_CONTROL: _ClassVar[Flag]
    FLAG_UNSYNCED: _ClassVar[Flag]
    FLAG_BACKFILL: _ClassVar[Flag]
AGGRESSOR_UNKNOWN: Aggressor
AGGRESSOR_BUYER: Aggressor
AGGRESSOR_SELLER: Aggressor
FLAG_NONE: Flag
FLAG_SNAPSHOT: Flag
FLAG_CONTROL: Flag
FLAG_UNSYNCED: Flag
FLAG_BACKFILL: Flag

class Control(_message.Message):
    __slots__ = ("kind", "reason", "first_missing", "last_missing", "since_ns")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNKNOWN: _ClassVar[Control.Kind]
        KIND_GAP: _ClassVar[Control.Kind]
        KIND_RESYNC: _ClassVar[Control.Kind]
        KIND_STALE: _ClassVar[Control.Kind]
        KIND_DISCONNECT: _ClassVar[Control.Kind]
    KIND_UNKNOWN: Control.Kind
    KIND_GAP: Control.Kind
    KIND_RESYNC: Control.Kind
    KIND_STALE: Control.Kind
    KIND_DISCONNECT: Control.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIRST_MISSING_FIELD_NUMBER: _ClassVar[int]
    LAST_MISSING_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    kind: Control.Kind
    reason: str
    first_missing: int
    last_missing: int
    since_ns: int
    def __init__(self, kind: _Optional[_Union[Control.Kind, str]] = ..., reason: _Optional[str] = ..., first_missing: _Optional[int] = ..., last_missing: _Optional[int] = ..., since_ns: _Optional[int] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class Trade(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "trade_id", "trade_ns", "price", "quantity", "aggressor", "seq", "first_seq", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    TRADE_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AGGRESSOR_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    quantity_exponent: int
    trade_id: str
    trade_ns: int
    price: int
    quantity: int
    aggressor: Aggressor
    seq: int
    first_seq: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., trade_id: _Optional[str] = ..., trade_ns: _Optional[int] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ..., aggressor: _Optional[_Union[Aggressor, str]] = ..., seq: _Optional[int] = ..., first_seq: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class Ticker(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "last_seq", "bid_price", "bid_quantity", "ask_price", "ask_quantity", "last_price", "last_quantity", "mark_price", "index_price", "open_interest", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    BID_PRICE_FIELD_NUMBER: _ClassVar[int]
    BID_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ASK_PRICE_FIELD_NUMBER: _ClassVar[int]
    ASK_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LAST_PRICE_FIELD_NUMBER: _ClassVar[int]
    LAST_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    INDEX_PRICE_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    quantity_exponent: int
    last_seq: int
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int
    last_price: int
    last_quantity: int
    mark_price: int
    index_price: int
    open_interest: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., last_seq: _Optional[int] = ..., bid_price: _Optional[int] = ..., bid_quantity: _Optional[int] = ..., ask_price: _Optional[int] = ..., ask_quantity: _Optional[int] = ..., last_price: _Optional[int] = ..., last_quantity: _Optional[int] = ..., mark_price: _Optional[int] = ..., index_price: _Optional[int] = ..., open_interest: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class OrderBook(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "first_seq", "last_seq", "bid_prices", "bid_quantities", "ask_prices", "ask_quantities", "prev_seq", "checksum", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    BID_PRICES_FIELD_NUMBER: _ClassVar[int]
    BID_QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    ASK_PRICES_FIELD_NUMBER: _ClassVar[int]
    ASK_QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    PREV_SEQ_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    quantity_exponent: int
    first_seq: int
    last_seq: int
    bid_prices: _containers.RepeatedScalarFieldContainer[int]
    bid_quantities: _containers.RepeatedScalarFieldContainer[int]
    ask_prices: _containers.RepeatedScalarFieldContainer[int]
    ask_quantities: _containers.RepeatedScalarFieldContainer[int]
    prev_seq: int
    checksum: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., bid_prices: _Optional[_Iterable[int]] = ..., bid_quantities: _Optional[_Iterable[int]] = ..., ask_prices: _Optional[_Iterable[int]] = ..., ask_quantities: _Optional[_Iterable[int]] = ..., prev_seq: _Optional[int] = ..., checksum: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class Kline(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "interval", "open_ns", "close_ns", "open", "high", "low", "close", "volume", "closed", "quote_volume", "quote_exponent", "taker_volume", "trades", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    OPEN_NS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_NS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    QUOTE_VOLUME_FIELD_NUMBER: _ClassVar[int]
    QUOTE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    TAKER_VOLUME_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    quantity_exponent: int
    interval: str
    open_ns: int
    close_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    closed: bool
    quote_volume: int
    quote_exponent: int
    taker_volume: int
    trades: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., interval: _Optional[str] = ..., open_ns: _Optional[int] = ..., close_ns: _Optional[int] = ..., open: _Optional[int] = ..., high: _Optional[int] = ..., low: _Optional[int] = ..., close: _Optional[int] = ..., volume: _Optional[int] = ..., closed: _Optional[bool] = ..., quote_volume: _Optional[int] = ..., quote_exponent: _Optional[int] = ..., taker_volume: _Optional[int] = ..., trades: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class VolatilityIndex(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "value", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    value: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., value: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...

class Funding(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "rate", "rate_exponent", "next_ns", "mark_price", "index_price", "local_seq", "epoch", "flags", "control")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_NS_FIELD_NUMBER: _ClassVar[int]
    PRICE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    RATE_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    NEXT_NS_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    INDEX_PRICE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    event_ns: int
    received_ns: int
    published_ns: int
    price_exponent: int
    rate: int
    rate_exponent: int
    next_ns: int
    mark_price: int
    index_price: int
    local_seq: int
    epoch: int
    flags: int
    control: Control
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., rate: _Optional[int] = ..., rate_exponent: _Optional[int] = ..., next_ns: _Optional[int] = ..., mark_price: _Optional[int] = ..., index_price: _Optional[int] = ..., local_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., flags: _Optional[int] = ..., control: _Optional[_Union[Control, _Mapping]] = ...) -> None: ...
