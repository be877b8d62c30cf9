from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Aggressor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGRESSOR_UNKNOWN: _ClassVar[Aggressor]
    AGGRESSOR_BUYER: _ClassVar[Aggressor]
    AGGRESSOR_SELLER: _ClassVar[Aggressor]
AGGRESSOR_UNKNOWN: Aggressor
AGGRESSOR_BUYER: Aggressor
AGGRESSOR_SELLER: Aggressor

class Trade(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "trade_id", "trade_ns", "price", "quantity", "aggressor")
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
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., trade_id: _Optional[str] = ..., trade_ns: _Optional[int] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ..., aggressor: _Optional[_Union[Aggressor, str]] = ...) -> None: ...

class Ticker(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "last_seq", "bid_price", "bid_quantity", "ask_price", "ask_quantity")
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
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., last_seq: _Optional[int] = ..., bid_price: _Optional[int] = ..., bid_quantity: _Optional[int] = ..., ask_price: _Optional[int] = ..., ask_quantity: _Optional[int] = ...) -> None: ...

class OrderBook(_message.Message):
    __slots__ = ("venue", "symbol", "event_ns", "received_ns", "published_ns", "price_exponent", "quantity_exponent", "first_seq", "last_seq", "bid_prices", "bid_quantities", "ask_prices", "ask_quantities")
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
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., event_ns: _Optional[int] = ..., received_ns: _Optional[int] = ..., published_ns: _Optional[int] = ..., price_exponent: _Optional[int] = ..., quantity_exponent: _Optional[int] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., bid_prices: _Optional[_Iterable[int]] = ..., bid_quantities: _Optional[_Iterable[int]] = ..., ask_prices: _Optional[_Iterable[int]] = ..., ask_quantities: _Optional[_Iterable[int]] = ...) -> None: ...
