from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from controlplane.env import BadEnvironment, Environment


def test_a_flag_refuses_to_guess():
    env = Environment({"A": "yes", "B": "True"})

    assert env.flag("B", default=False) is True
    with pytest.raises(BadEnvironment, match="A is 'yes'"):
        env.flag("A", default=False)


def test_a_whole_number_is_read_within_its_bounds():
    assert Environment({"DAYS": "7"}).whole("DAYS", 90, least=1, most=10) == 7
    assert Environment({}).whole("DAYS", 9, least=1, most=10) == 9


@pytest.mark.parametrize(
    "value", ["0", "11", "-1", "1.5", "a week", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000]
)
def test_a_whole_number_out_of_bounds_is_named(value):
    with pytest.raises(BadEnvironment, match=r"DAYS is .* between 1 and 10"):
        Environment({"DAYS": value}).whole("DAYS", 5, least=1, most=10)


@pytest.mark.parametrize(
    "value", ["localhost:4222", "http://x", "nats://", "nats://h:notaport", "nats://u:hunter2@:1"]
)
def test_a_bad_url_is_named_and_never_shown(value):
    with pytest.raises(BadEnvironment) as caught:
        Environment({"NATS_URL": value}).url("NATS_URL", ("nats",))

    assert "NATS_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_servers_of_a_cluster_are_one_setting():
    value = "nats://u:a,b@one:4222, tls://two:4222,nats://[::1]:4222"

    assert Environment({"NATS_URL": value}).url("NATS_URL", ("nats", "tls"), several=True) == value
    with pytest.raises(BadEnvironment):
        Environment({"NATS_URL": value}).url("NATS_URL", ("nats", "tls"))


@pytest.mark.parametrize(
    "value", ["nats://one:4222,two:4222", "nats://one:4222,http://two:4222", "nats://one,nats://"]
)
def test_one_bad_server_among_several_is_refused(value):
    with pytest.raises(BadEnvironment):
        Environment({"NATS_URL": value}).url("NATS_URL", ("nats", "tls"), several=True)


def test_a_misspelt_setting_is_refused_with_a_hint():
    env = Environment({"TICKPLANE_HOM": "x", "OTHER": "y"})
    env.text("TICKPLANE_HOME", "")

    with pytest.raises(BadEnvironment, match=r"TICKPLANE_HOM is not a setting.*TICKPLANE_HOME"):
        env.refuse_unknown()


def test_a_secret_is_read_from_its_file(tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    env = Environment({"KEY_FILE": str(tmp_path / "key"), "GONE_FILE": str(tmp_path / "none")})

    assert env.secret("KEY", "") == "s3cret"
    with pytest.raises(BadEnvironment, match="GONE_FILE"):
        env.secret("GONE", "")


def test_a_database_url_is_read_and_a_bad_one_named():
    env = Environment({"GOOD": "postgres://u:p@h:5433/d", "BAD": "mysql://u:p@h/d"})

    assert env.database("GOOD", "")["PORT"] == 5433
    with pytest.raises(BadEnvironment, match="BAD"):
        env.database("BAD", "")


KEY = "A" * 43


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), (KEY, 1), (f"{KEY}=", 1), (f" {KEY} ,{KEY}=\n", 2), (",", 0)]
)
def test_keys_are_read_with_their_padding_or_without(text, count):
    keys = Environment({"KEYS": text}).keys("KEYS")

    assert keys == [f"{KEY}="] * count
    assert all(Fernet(key) for key in keys)


@pytest.mark.parametrize("text", ["hunter2", f"{KEY},hunter2", "hunter2" * 20, f"{KEY[:-1]}é"])
def test_what_is_no_key_is_counted_and_never_shown(text):
    with pytest.raises(BadEnvironment, match=r"KEYS: key [12] ") as caught:
        Environment({"KEYS": text}).keys("KEYS")

    assert "hunter2" not in str(caught.value)
