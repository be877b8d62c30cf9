from __future__ import annotations

import pytest

from streams.broker.connect import apart, split
from streams.broker.trust import trusted
from streams.core.errors import BrokerAway


def test_without_a_query_nothing_is_asked_for():
    assert trusted(split("nats://one:4222,tls://two:4222")) is None


def test_the_query_names_files_and_never_reaches_the_server():
    url = "tls://u:p@one:4222?ca=/etc/ca.pem,tls://two:4222"

    assert apart(url) == (["tls://one:4222", "tls://two:4222"], {"user": "u", "password": "p"})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cafile=/etc/ca.pem", "cafile is not known; there are ca, cert, key"),
        ("cert=/etc/own.pem", "cert and key go together"),
        ("ca=/nowhere/ca.pem", "ca /nowhere/ca.pem cannot be used: No such file"),
        ("cert=/nowhere/a&key=/nowhere/b", "cert /nowhere/a and key /nowhere/b cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(query, said):
    with pytest.raises(BrokerAway, match=said):
        trusted(split(f"tls://one:4222?{query}"))


def test_a_file_that_holds_no_certificate_is_named(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nothing")

    with pytest.raises(BrokerAway, match=r"ca .*ca\.pem cannot be used"):
        trusted(split(f"tls://one:4222?ca={file}"))
