"""
Accounts as a table of text: what a file holds, cell by cell, and how a file is written.

An error names line and column and never a cell: a slip of the columns must not print a password.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from accounts.core.errors import AccountsError

COLUMNS = (
    "server", "login", "label", "group", "tags", "provider", "source", "currency", "leverage",
    "account_s", "update_s", "positions_s", "orders_s", "password",
)  # fmt: skip
REQUIRED = ("server", "login")
# Everything but what is never shown.
WRITTEN = COLUMNS[:-1]
DELIMITERS = (",", ";", "\t")
TAG_DELIMITER = ";"

PROVIDERS = ("simulator", "push", "recording")
MOST_ROWS = 20_000
LONGEST_TEXT = 4_000_000
MOST_TAGS = 50
MOST_ERRORS = 1000
LONGEST_INTERVAL_S = 3600
MOST_DIGITS = 20

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  spreadsheets of the East read these too
_MARK = "'"
# Also halves of characters, which JSON can spell and no database takes.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class BadFile(AccountsError):
    """The bytes are no text, or more than is taken at once."""

    permanent = True


class RowError(Struct, frozen=True):
    """What is wrong with a line; an empty column means the line as a whole."""

    line: int
    column: str
    message: str


class Row(Struct, frozen=True, kw_only=True):
    """
    One account of the file. `given` holds the columns that are there; the others stay as they are.

    An empty cell means the default, or none; an empty password means the one that is kept.
    """

    line: int
    server: str
    login: int
    given: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Row(line={self.line})"  # A traceback must not print the password.


class Sheet(Struct, frozen=True):
    """What a file says. With an error, nothing of it counts."""

    rows: tuple[Row, ...] = ()
    errors: tuple[RowError, ...] = ()


class _Bad(Exception):
    """A cell, or a line, cannot be used; the text says why without showing it."""


def decoded(data: bytes) -> str:
    """
    Return the text of a file as spreadsheets save it: UTF-8, UTF-16 with its mark, or Windows-1252.

    Raises:
        BadFile: It is none of them, or too long.
    """
    if len(data) > LONGEST_TEXT:
        raise BadFile(f"the file has more than {LONGEST_TEXT // 1_000_000} MB")
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile("the file is no text; save it as CSV in UTF-8")


def parsed(text: str) -> Sheet:
    """Return what the text of a file says, and what is wrong with it, up to a thousand errors."""
    if len(text) > LONGEST_TEXT:
        return _refused(1, f"more than {LONGEST_TEXT // 1_000_000} MB")
    text = text.removeprefix("\ufeff")
    records = _records(text, _delimiter(text))
    rows: list[Row] = []
    errors: list[RowError] = []
    lines: dict[tuple[str, int], int] = {}
    try:
        header_line, header = next(records, (1, []))
        header = [name.strip().lower() for name in header]
        if errors := list(_faults_of(header, header_line)):
            return Sheet(errors=tuple(errors))
        for line, cells in records:
            row = _row(line, header, cells, errors)
            if row is not None and _is_first(row, lines, errors):
                rows.append(row)
            if len(rows) > MOST_ROWS:
                errors.append(RowError(line, "", f"more than {MOST_ROWS} accounts in one file"))
                break
            if len(errors) >= MOST_ERRORS:
                break
    except _Broken as e:
        errors.append(RowError(e.line, "", str(e)))
    return Sheet(tuple(rows), tuple(errors))


def written(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Return the lines of a file that `parsed` reads; no spreadsheet finds a formula in it."""
    yield _line(WRITTEN)
    for row in rows:
        yield _line([_harmless(row[name]) for name in WRITTEN])


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return _MARK + text if text.startswith((*_FORMULA, _MARK)) else text


def _meant(text: str) -> str:
    """Undo `_harmless`."""
    return text[1:] if text.startswith(_MARK) and text[1:].startswith((*_FORMULA, _MARK)) else text


class _Broken(Exception):
    """From this line on the file is no CSV."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def _refused(line: int, message: str) -> Sheet:
    return Sheet(errors=(RowError(line, "", message),))


def _delimiter(text: str) -> str:
    """Return what separates the names of the first line: spreadsheets differ by country."""
    header = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    return max(DELIMITERS, key=header.count)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """
    Yield each line that is not blank with its number; a quoted cell may hold line breaks.

    Raises:
        _Broken: A quote is never closed, or something follows it.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _Broken(line, "not CSV: a quote is not closed, or a cell is too long") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _faults_of(header: Sequence[str], line: int) -> Iterator[RowError]:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        # It may be no header at all, but data: none of it is repeated.
        names = ", ".join(COLUMNS)
        yield from (RowError(line, name, "this column is missing") for name in missing)
        yield RowError(line, "", f"the first line must name columns; there are {names}")
        return
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            yield RowError(line, name[:64], "there is no such column")
        elif header.count(name) > 1:
            yield RowError(line, name, "this column is there twice")


def _row(
    line: int, header: Sequence[str], cells: Sequence[str], errors: list[RowError]
) -> Row | None:
    if len(cells) != len(header):
        message = f"{len(cells)} cells, but {len(header)} columns"
        errors.append(RowError(line, "", message))
        return None
    values: dict[str, Any] = {}
    before = len(errors)
    for name, cell in zip(header, cells, strict=True):
        try:
            values[name] = _CELLS[name](cell if name == "password" else _meant(cell.strip()))
        except _Bad as e:
            errors.append(RowError(line, name, str(e)))
    if len(errors) > before:
        return None
    if not values.get("password", True):
        del values["password"]
    return Row(line=line, server=values.pop("server"), login=values.pop("login"), given=values)


def _is_first(row: Row, lines: dict[tuple[str, int], int], errors: list[RowError]) -> bool:
    earlier = lines.setdefault((row.server, row.login), row.line)
    if earlier != row.line:
        errors.append(RowError(row.line, "login", f"the same account as in line {earlier}"))
    return earlier == row.line


def is_plain(text: str) -> bool:
    """Return whether a text fits in one line of a log, of a file and of a page."""
    return _CONTROL.search(text) is None


def _text(longest: int, otherwise: str | None = "") -> Callable[[str], str]:
    """Return the reader of a text; `otherwise` stands for an empty cell, None refuses it."""

    def read(cell: str) -> str:
        if len(cell) > longest:
            raise _Bad(f"longer than {longest} characters")
        if not is_plain(cell):
            raise _Bad("holds a control character")
        if not cell and otherwise is None:
            raise _Bad("is empty")
        return cell or otherwise or ""

    return read


def _number(lowest: int, highest: int, otherwise: int | None) -> Callable[[str], int | None]:
    """Return the reader of a whole number; `otherwise` stands for an empty cell."""

    def read(cell: str) -> int | None:
        if not cell:
            return otherwise
        # No other alphabet's digits, no sign, no underscore, no exponent.
        plain = cell.isascii() and cell.isdecimal() and len(cell) < MOST_DIGITS
        if not (plain and lowest <= int(cell) <= highest):
            raise _Bad(f"not a whole number from {lowest} to {highest}")
        return int(cell)

    return read


def _login(cell: str) -> int | None:
    if not cell:
        raise _Bad("is empty")
    return _number(1, 2**63 - 1, None)(cell)


def _choice(cell: str) -> str:
    if cell.lower() not in ("", *PROVIDERS):
        raise _Bad(f"not one of {', '.join(PROVIDERS)}")
    return cell.lower() or PROVIDERS[0]


def _tags(cell: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in cell.split(TAG_DELIMITER) if name.strip()))
    if len(names) > MOST_TAGS:
        raise _Bad(f"more than {MOST_TAGS} tags")
    return tuple(_text(64)(name) for name in names)


_interval = _number(1, LONGEST_INTERVAL_S, None)
_CELLS: Mapping[str, Callable[[str], object]] = {
    "server": _text(64, None),
    "login": _login,
    "label": _text(100),
    "group": _text(64),
    "tags": _tags,
    "provider": _choice,
    "source": _text(200),
    "currency": _text(16, "USD"),
    "leverage": _number(1, 2**31 - 1, 100),
    "account_s": _interval,
    "update_s": _interval,
    "positions_s": _interval,
    "orders_s": _interval,
    "password": _text(128),
}
