from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from controlplane import home
from controlplane.env import Environment
from controlplane.standalone import house


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    folder = tmp_path / "data"

    first, second = home.own_secrets(folder), home.own_secrets(folder)

    assert first == second
    assert all(len(value) >= 24 for value in first.values())
    assert stat.S_IMODE((folder / home.SECRETS).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(home.HomeUnusable, match="TICKPLANE_HOME"):
        home.own_secrets(tmp_path / "file" / "data")


def test_a_file_is_replaced_in_one_step(tmp_path):
    home.write(tmp_path, "x.env", {"A": "1"})
    home.write(tmp_path, "x.env", {"B": "2=3"})

    assert home.read(tmp_path, "x.env") == {"B": "2=3"}
    assert [path.name for path in tmp_path.iterdir()] == ["x.env"]


def test_a_running_instance_is_believed_and_a_killed_one_is_not(tmp_path):
    house.prepare(tmp_path)
    said = {"NATS_URL": "nats://127.0.0.1:1", "DATABASE_URL": "postgres://u:p=q@h/d?x=y"}

    with house.only_one(tmp_path):
        home.write(tmp_path, home.RUNNING, said)
        while_it_runs = home.running(tmp_path)
    after_it_was_killed = home.running(tmp_path)
    with house.only_one(tmp_path):
        after_the_next_start = home.read(tmp_path, home.RUNNING)

    assert while_it_runs == said
    assert after_it_was_killed == after_the_next_start == {}


def test_a_data_directory_serves_one_at_a_time(tmp_path):
    house.prepare(tmp_path)

    with (
        house.only_one(tmp_path),
        pytest.raises(house.HouseUnusable, match=str(os.getpid())),
        house.only_one(tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", home.OWN_SECRETS)
def test_a_secret_that_is_missing_is_made_and_the_others_are_kept(tmp_path, name):
    before = home.own_secrets(tmp_path)
    home.write(tmp_path, home.SECRETS, before | {name: ""})

    after = home.own_secrets(tmp_path)

    assert len(after[name]) > 30
    assert after[name] != before[name]
    assert [key for key in before if after[key] != before[key]] == [name]
    assert home.own_secrets(tmp_path) == after


def test_an_older_file_of_secrets_gets_what_is_new(tmp_path):
    old = {"TICKPLANE_SECRET_KEY": "a" * 64, "TICKPLANE_NATS_PASSWORD": "b=c"}
    home.write(tmp_path, home.SECRETS, old)

    made = home.own_secrets(tmp_path)

    assert made.items() > old.items()
    assert home.read(tmp_path, home.SECRETS) == made
    assert stat.S_IMODE((tmp_path / home.SECRETS).stat().st_mode) == 0o600
    assert len(Environment(made).keys("TICKPLANE_ACCOUNT_KEYS")) == 1


def test_many_first_starts_at_once_agree_on_the_secrets(tmp_path):
    """A key that only its maker knew would be lost, with every password that it sealed."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(home.own_secrets, [tmp_path] * 8))

    assert all(secrets == home.own_secrets(tmp_path) for secrets in made)
