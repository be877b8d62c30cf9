"""Deploying over REST, what happened, history, CSV files, and what nobody should be able to do."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import (
    Account,
    AccountEvent,
    AuditEntry,
    DeadLetter,
    EquityBar,
    OutletStatus,
    ShardLease,
)
from tests.unit.accounts.test_api_records import ALL, Api, acts, api, one

__all__ = ["api"]

pytestmark = pytest.mark.django_db

AT = datetime(2025, 11, 14, 10, 30, tzinfo=UTC)


@pytest.fixture
def account():
    return Account.objects.create(server="S", login=1)


def test_an_account_goes_through_its_lifecycle(api, account):
    path = one(account)

    answers = [api.post(f"{path}/{act}") for act in ("resync", "deploy", "deploy", "redeploy")]
    answers += [api.post(f"{path}/{act}") for act in ("resync", "undeploy", "undeploy")]

    assert [a.status_code for a in answers] == [409, 202, 409, 202, 202, 202, 409]
    assert answers[1].json() == {
        "accountId": str(account.uuid), "status": 202, "lifecycle": "DEPLOYING", "error": "",
    }  # fmt: skip
    assert answers[2].json() == {"error": "deploy is not possible while it is DEPLOYING"}
    assert [action for _, action in acts()] == ["deploy", "redeploy", "snapshot", "undeploy"]
    assert {actor for actor, _ in acts()} == {"boss"}


def test_a_token_is_named_beside_its_user(account):
    from controlplane import access  # noqa: PLC0415  only this test goes that far up

    boss = User.objects.create_superuser("boss")
    token, secret = access.create(
        user=boss, name="robot", scopes=["accounts:write"], expires_at=None, actor="x", now=AT
    )
    client = Client(headers={"Authorization": f"Bearer {secret}"})

    assert client.post(f"{ALL}{one(account)}/deploy").status_code == 202
    assert AuditEntry.objects.get(action="deploy").actor == f"boss ({token.prefix}…)"


def test_many_accounts_are_acted_upon_and_each_answers_for_itself(
    api, account, django_assert_max_num_queries
):
    others = [Account.objects.create(server="S", login=number) for number in range(2, 100)]
    Account.objects.filter(login=2).update(lifecycle="DEPLOYED")
    unknown = str(uuid.uuid4())
    wanted = [unknown, *(str(a.uuid) for a in [account, *others])]

    with django_assert_max_num_queries(16):
        answer = api.post("/actions", {"action": "deploy", "accountIds": wanted})

    results = answer.json()["results"]
    assert [row["accountId"] for row in results] == wanted
    assert [row["status"] for row in results[:3]] == [404, 202, 409]
    assert results[2]["error"] == "deploy is not possible while it is DEPLOYED"
    assert {row["status"] for row in results[3:]} == {202}
    assert Account.objects.filter(lifecycle="DEPLOYING").count() == 98


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "explode", "accountIds": [str(uuid.uuid4())]}, "action"),
        ({"action": "deploy", "accountIds": []}, "accountIds"),
        ({"action": "deploy", "accountIds": ["x"]}, "accountIds.0"),
        ({"action": "deploy", "accountIds": [str(uuid.uuid4())] * 501}, "accountIds"),
        ({"action": "deploy", "accountIds": [str(uuid.uuid4())], "force": True}, "force"),
    ],
)
def test_an_action_that_cannot_be_is_refused(api, body, field):
    assert list(api.post("/actions", body).json()["fields"]) == [field]


@pytest.fixture
def events(account):
    for number in range(1, 8):
        AccountEvent.objects.create(
            account=account,
            number=number,
            kind="position.opened" if number % 2 else "position.closed",
            payload=f'{{"number":{number},"volume":0.10}}',
            created_at=AT + timedelta(minutes=number),
        )


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"kind": "position.closed"}, [6, 4, 2]),
        ({"from": "3", "to": "5"}, [5, 4, 3]),
        ({"since": "2025-11-14T10:35:00Z"}, [7, 6, 5]),
        ({"since": "2025-11-14T12:35:00+02:00"}, [7, 6, 5]),
    ],
)
def test_events_are_listed_newest_first(api, account, events, query, numbers):
    body = api.get(f"{one(account)}/events", **query).json()

    assert [row["number"] for row in body["results"]] == numbers


def test_events_come_with_their_own_bytes_and_in_pages(api, account, events):
    first = api.get(f"{one(account)}/events", pageSize=3)
    AccountEvent.objects.create(account=account, number=8, kind="alert", payload="no json")
    second = api.client.get(first.json()["next"])

    assert b'"payload":{"number":7,"volume":0.10}' in first.content
    assert [row["number"] for row in second.json()["results"]] == [4, 3, 2]
    assert api.get(f"{one(account)}/events").json()["results"][0]["payload"] == "no json"


def test_bars_of_equity_and_balance_keep_their_digits(api, account):
    for minute in range(10):
        EquityBar.objects.create(
            account=account, at=AT + timedelta(minutes=minute), digits=2,
            equity_open=1000_00 + minute, equity_high=1000_00 + minute,
            equity_low=1000_00 + minute, equity_close=1000_10 + minute,
            balance_open=900_00, balance_high=900_00, balance_low=900_00, balance_close=900_00,
        )  # fmt: skip

    answer = api.get(f"{one(account)}/history", interval="5m", start="2025-11-14T10:30:00Z")

    bars = answer.json()["bars"]
    assert [bar["at"] for bar in bars] == ["2025-11-14T10:30:00Z", "2025-11-14T10:35:00Z"]
    assert b'"equity":{"open":1000.05,"high":1000.09,"low":1000.05,"close":1000.19}' in (
        answer.content
    )
    assert b'"balance":{"open":900.00,' in answer.content


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "2m"}, "interval"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2025-11-14T10:30:00Z", "end": "2025-11-14T10:30:00Z"}, "end"),
        ({"limit": "0"}, "limit"),
        ({"bars": "5"}, "bars"),
    ],
)
def test_a_history_that_cannot_be_is_refused(api, account, query, field):
    answer = api.get(f"{one(account)}/history", **query)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_dead_letters_are_listed_and_stay_while_there_is_no_queue(api, account, settings):
    settings.RABBITMQ_URL = ""
    for number in range(3):
        DeadLetter.objects.create(
            account=account, message_id=f"m{number}", number=number, payload="{}", kind="alert"
        )

    listed = api.get("/dead-letters", accountId=str(account.uuid), replayed="false").json()
    answer = api.post("/dead-letters/replay", {"accountId": str(account.uuid), "from": 1})

    assert [row["messageId"] for row in listed["results"]] == ["m2", "m1", "m0"]
    assert answer.status_code == 503
    assert "RABBITMQ_URL is not set" in answer.json()["error"]
    assert DeadLetter.objects.filter(replayed_at=None).count() == 3


def test_a_replay_of_nothing_needs_no_broker(api):
    assert api.post("/dead-letters/replay", {}).json() == {"replayed": 0, "left": 0}
    answer = api.post("/dead-letters/replay", {"account": "x"})
    assert list(answer.json()["fields"]) == ["account"]


def test_the_publisher_says_how_it_fares(api):
    OutletStatus.objects.create(name="rabbitmq", state="degraded", reason="other arguments")
    ShardLease.objects.create(shard=0, visits=9, last_visit_ms=38)

    body = api.get("/publisher").json()

    assert body["brokers"][0]["reason"] == "other arguments"
    assert (body["shards"][0]["visits"], body["shards"][0]["lastVisitMs"]) == (9, 38)


def test_the_audit_is_filtered_by_account_actor_and_action(api, account):
    api.post(f"{one(account)}/deploy")
    api.post(f"{one(account)}/undeploy")

    found = api.get("/audit", accountId=str(account.uuid), actor="boss", action="undeploy").json()

    assert [(row["before"], row["after"]) for row in found["results"]] == [
        ("DEPLOYING", "UNDEPLOYING")
    ]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/events", {"since": "yesterday"}, "since"),
        # The calendar ends before these begin, in UTC.
        ("/events", {"since": "0001-01-01T00:00:00+14:00"}, "since"),
        ("/audit", {"since": "9999-12-31T23:59:59-14:00"}, "since"),
        # Neither yes nor no: to answer with all of them would be a wrong answer.
        ("/dead-letters", {"replayed": "maybe"}, "replayed"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_name(api, account, path, query, field):
    answer = api.get((one(account) if path == "/events" else "") + path, **query)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_dead_letters_are_told_apart_by_whether_they_were_replayed(api, account):
    for number, at in ((1, None), (2, AT)):
        DeadLetter.objects.create(
            account=account, number=number, message_id=str(number), payload="{}", collected_at=AT,
            replayed_at=at,
        )  # fmt: skip

    def numbers(**query):
        return [row["number"] for row in api.get("/dead-letters", **query).json()["results"]]

    assert numbers() == [2, 1]
    assert numbers(replayed="true") == [2]
    assert numbers(replayed="false") == [1]


def test_what_is_not_there_is_not_called_by_our_names(api):
    answer = api.get("/00000000-0000-0000-0000-000000000000")

    assert (answer.status_code, answer.json()) == (404, {"error": "Not found."})


CSV = "server,login,label,tags,password\nAlpha,11,one,live;eur,secret\nBeta,12,two,,\n"


def upload(api, text, query=""):
    data = text.encode() if isinstance(text, str) else text
    return api.client.generic("POST", f"{ALL}/import{query}", data, "text/csv")


def test_a_file_is_tried_taken_and_given_back_without_passwords(api):
    tried = upload(api, CSV, "?dryRun=true")
    assert (tried.status_code, tried.json()["created"], tried.json()["dryRun"]) == (200, 2, True)
    assert not Account.objects.exists()

    taken = upload(api, CSV)
    exported = api.get("/export", server="Alpha")

    assert (taken.json()["created"], taken.json()["tags"]) == (2, ["eur", "live"])
    text = exported.content.decode()
    assert exported["Content-Type"].startswith("text/csv")
    assert "Alpha,11,one,,eur;live" in text
    assert "Beta" not in text
    assert "secret" not in text + tried.content.decode() + taken.content.decode()
    assert upload(api, text).json()["unchanged"] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("server,login\nA,x\n", "line 2, login: "),
        ("", "line 1, server: "),
        (b"\xff\xfe\x00", "the file is no text"),
        ("server,login,colour\n", "line 1, colour: "),
        ("server,login\n" + "A,1\n" * 2, "line 3, login: "),
    ],
)
def test_a_bad_file_is_refused_by_line_and_column(api, data, said):
    answer = upload(api, data)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert not Account.objects.exists()


def test_a_file_is_declared_as_one(api):
    answer = api.client.post(f"{ALL}/import", CSV, "application/json")

    assert answer.status_code == 415


def test_each_way_of_writing_is_closed_to_a_reader(client, account):
    client.force_login(User.objects.create_user("reader"))
    sample = {"account_id": account.uuid, "group_id": 1, "tag_id": 1, "rule_id": 1, "prefix": "x"}
    open_to_readers = []
    for pattern in account_patterns():
        view = pattern.callback.view_class if hasattr(pattern.callback, "view_class") else None
        if view is None:
            continue  # Terminals push there, by a token of their own.
        path = "/" + str(pattern.pattern)
        for name, value in sample.items():
            for kind in ("uuid", "int", "str"):
                path = path.replace(f"<{kind}:{name}>", str(value))
        for method in ("post", "put", "patch", "delete"):
            content_type = "text/csv" if path.endswith("import") else "application/json"
            answer = client.generic(method.upper(), path, "{}", content_type)
            if answer.status_code not in (403, 405):
                open_to_readers.append((method, path, answer.status_code))

    assert open_to_readers == []
    assert AuditEntry.objects.count() == 0


def account_patterns():
    return [
        pattern
        for include in get_resolver().url_patterns
        for pattern in getattr(include, "url_patterns", [])
        if str(pattern.pattern).startswith("api/v1/accounts")
    ]


TEXT = st.text(max_size=12)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT | st.sampled_from(["S", "Desk", "push", "2025-11-14T10:30:00Z", "deploy", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = st.sampled_from(
    ["server", "login", "label", "group", "tags", "intervals", "password", "provider", "leverage",
     "currency", "name", "threshold", "kind", "basis", "unit", "accountId", "action", "accountIds",
     "from", "to", "enabled", "level", "source"]
)  # fmt: skip
FILTERS = st.sampled_from(
    ["page", "pageSize", "cursor", "lifecycle", "connection", "group", "tag", "server", "login",
     "provider", "olderThanS", "q", "ordering", "kind", "from", "to", "since", "actor", "action",
     "accountId", "replayed", "interval", "start", "end", "limit", "format", "dryRun"]
)  # fmt: skip
READ = [
    "", "/export", "/groups", "/tags", "/rules", "/audit", "/dead-letters", "/publisher",
    "/{id}", "/{id}/events", "/{id}/history", "/{id}/tokens", "/groups/{n}", "/rules/{n}",
]  # fmt: skip
WRITTEN = [
    ("POST", ""), ("PATCH", "/{id}"), ("POST", "/groups"), ("POST", "/tags"), ("POST", "/rules"),
    ("POST", "/actions"), ("POST", "/dead-letters/replay"), ("POST", "/{id}/tokens"),
    ("PATCH", "/groups/{n}"), ("PATCH", "/rules/{n}"), ("PATCH", "/tags/{n}"),
]  # fmt: skip
NUMBERS = st.integers(0, 2**70)


class NoInputIsAFailure(TestCase):
    """Whatever is asked, the answer is ours: right, or a refusal that is no 5xx."""

    def setup_example(self):
        super().setup_example()
        self.client.force_login(User.objects.create_superuser("boss"))
        self.account = Account.objects.create(server="S", login=1)
        self.api = Api(self.client)

    @settings(max_examples=75, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(READ), st.dictionaries(FILTERS, TEXT | NUMBERS.map(str)), NUMBERS)
    def test_reading(self, path, query, number):
        answer = self.api.get(path.format(id=self.account.uuid, n=number), **query)

        assert answer.status_code in (200, 400, 404), answer.content

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(WRITTEN), st.dictionaries(FIELDS, ANY) | ANY, NUMBERS)
    def test_writing(self, call, body, number):
        method, path = call
        answer = self.client.generic(
            method,
            ALL + path.format(id=self.account.uuid, n=number),
            json.dumps(body),
            "application/json",
        )

        assert answer.status_code in (200, 201, 400, 404, 409), answer.content
