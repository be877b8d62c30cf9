"""The table of text that accounts come from and go to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.core import roster
from accounts.core.roster import BadFile, RowError, decoded, parsed, written
from accounts.models import Account, AccountGroup, Tag

HEAD = "server,login"


def errors(text):
    return [(e.line, e.column) for e in parsed(text).errors]


def only(text):
    sheet = parsed(text)
    assert sheet.errors == ()
    (row,) = sheet.rows
    return row


def test_a_line_becomes_an_account():
    row = only(
        "server,login,label,group,tags,provider,source,currency,leverage,account_s,password\n"
        "Broker-Live,261632689,Mine,Fund,a; b;a,push,,EUR,30,15,  pass word \n"
    )

    assert (row.line, row.server, row.login) == (2, "Broker-Live", 261632689)
    assert row.given == {
        "label": "Mine",
        "group": "Fund",
        "tags": ("a", "b"),
        "provider": "push",
        "source": "",
        "currency": "EUR",
        "leverage": 30,
        "account_s": 15,
        "password": "  pass word ",
    }


def test_an_empty_cell_means_the_default_and_an_absent_column_nothing():
    row = only(
        "server,login,currency,leverage,provider,account_s,group,tags,password\nS,1,,,,,,,\n"
    )

    assert row.given == {
        "currency": "USD",
        "leverage": 100,
        "provider": "simulator",
        "account_s": None,
        "group": "",
        "tags": (),
    }
    assert only("server,login\nS,1").given == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_every_spreadsheet_are_read(delimiter, end, mark):
    cells = ["Server", " LOGIN ", "tags"], ["S", "1", '"a;b"']
    text = mark + end.join(delimiter.join(line) for line in cells) + end + end

    assert only(text).given == {"tags": ("a", "b")}


@pytest.mark.parametrize(
    ("data", "label"),
    [
        ("server,login,label\nS,1,Grüße".encode(), "Grüße"),
        ("server,login,label\nS,1,Grüße".encode("utf-8-sig"), "Grüße"),
        ("server;login;label\r\nS;1;Grüße".encode("utf-16"), "Grüße"),
        ("server;login;label\r\nS;1;Grüße €".encode("cp1252"), "Grüße €"),
    ],
)
def test_encodings_of_spreadsheets_are_read(data, label):
    assert only(decoded(data)).given == {"label": label}


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04\x81\x8d\x8f", b"\xff\xfea", b"x" * (roster.LONGEST_TEXT + 1)]
)
def test_bytes_that_are_no_text_are_refused(data):
    with pytest.raises(BadFile):
        decoded(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "server"), (1, "login"), (1, "")]),
        ("login\n1", [(1, "server"), (1, "")]),
        ("server,login,lable,login\nS,1,x,1", [(1, "login"), (1, "lable")]),
        (f"{HEAD}\nS,1,x\nS", [(2, ""), (3, "")]),
        (f"{HEAD}\n,0\nS,-1\nS,x\nS,1e3\nS,٣\nS,{2**63}", [
            (2, "server"), (2, "login"), (3, "login"), (4, "login"), (5, "login"), (6, "login"),
            (7, "login"),
        ]),
        (f"{HEAD},leverage\nS,1,0\nS,2,x", [(2, "leverage"), (3, "leverage")]),
        (f"{HEAD},update_s\nS,1,0\nS,2,3601\nS,3,3600", [(2, "update_s"), (3, "update_s")]),
        (f"{HEAD},provider\nS,1,crystal ball", [(2, "provider")]),
        (f"{HEAD},tags\nS,1,{'x' * 65}", [(2, "tags")]),
        (f"{HEAD},label\nS,1,a\x00b\nS,2,a\ud800", [(2, "label"), (3, "label")]),
        (f"{HEAD}\nS,1\nT,1\nS,01", [(4, "login")]),
        (f'{HEAD}\nS,1\n"S,2\n', [(3, "")]),
        (f'{HEAD},label\nS,1,"two\nlines"\nS,x,', [(2, "label"), (4, "login")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_column(text, expected):
    assert errors(text) == expected


def test_a_file_of_too_many_accounts_is_refused():
    lines = "\n".join(f"S,{n}" for n in range(1, roster.MOST_ROWS + 2))

    assert errors(f"{HEAD}\n{lines}") == [(roster.MOST_ROWS + 2, "")]
    assert parsed("x" * (roster.LONGEST_TEXT + 1)).errors


def test_a_file_of_nothing_but_errors_ends_the_reading():
    assert len(parsed(f"{HEAD}\n" + "S,x\n" * 5000).errors) == roster.MOST_ERRORS


@pytest.mark.parametrize(
    "text",
    [
        "S,1,hunter2\n",  # no header
        f"{HEAD},leverage,password\nS,1,hunter2,hunter2\n",  # a slip of the columns
        f"{HEAD},tags,password\nS,1,,hunter2\x01\n",
        f"{HEAD},password\nS,hunter2,hunter2\n",
    ],
)
def test_no_error_shows_a_cell(text):
    sheet = parsed(text)

    assert sheet.errors
    assert "hunter2" not in repr(sheet)


def test_the_password_is_not_in_what_a_traceback_prints():
    assert "hunter2" not in repr(parsed(f"{HEAD},password\nS,1,hunter2\n"))


cells = st.text(
    st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20
).map(str.strip)  # fmt: skip
# The last is the full-width equals sign of spreadsheets in the East.
SIGNS = "=+-@\uff1d"
formulas = st.builds("".join, st.tuples(st.sampled_from(SIGNS + "'"), cells))


@given(label=cells | formulas, server=(cells | formulas).filter(bool), tags=st.lists(cells))
def test_what_is_written_is_read_again(label, server, tags):
    tags = tuple(dict.fromkeys(t for tag in tags if (t := tag.replace(";", "").strip())))
    values = dict.fromkeys(roster.WRITTEN)
    values |= {"server": server, "login": 1, "label": label, "tags": ";".join(tags)}

    row = only("".join(written([values])))

    assert (row.server, row.given["label"], row.given["tags"]) == (server, label, tags)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", '=HYPERLINK("x")'])
def test_no_cell_that_is_written_begins_a_formula(text):
    values = dict.fromkeys(roster.WRITTEN) | {"server": text, "login": 1, "label": text}

    line = list(written([values]))[1]

    assert not any(cell.strip('"').startswith(tuple(SIGNS)) for cell in line.split(","))


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_accounts_or_errors(text):
    sheet = parsed(text)

    assert sheet.rows or sheet.errors or not text.strip()
    assert all(isinstance(e, RowError) for e in sheet.errors)


def test_the_bounds_are_those_of_the_table():
    """A file must not pass the check and fail in the database, nor the other way round."""

    def length(model, name):
        return model._meta.get_field(name).max_length

    assert {name: length(Account, name) for name in ("server", "label", "source", "currency")} == {
        "server": 64, "label": 100, "source": 200, "currency": 16,
    }  # fmt: skip
    assert length(AccountGroup, "name") == length(Tag, "name") == 64
    assert set(roster.PROVIDERS) == set(Account.Provider.values)
    assert Account._meta.get_field("leverage").default == 100
    assert {
        getattr(v, "limit_value", 0) for v in Account._meta.get_field("update_s").validators
    } >= {1, 3600}
