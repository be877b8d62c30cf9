"""REST of the records, the messages and the monitoring, against a real nats-server."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern

from streams import urls
from streams.models import BrokerAct, Stream, StreamConsumer
from streams.services import link, monitoring
from tests.integration.streams.conftest import fill
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ROOT = "/api/v1/broker"
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.HOME = tmp_path


@pytest.fixture
def boss(client, broker):
    # Other tests' streams are in NATS, but nobody declared them here.
    Stream.objects.all().delete()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def stream(broker, make_stream):
    """Ten messages on two subjects."""
    make_stream("REST", subjects=["rest.*"])
    fill(broker, [(f"rest.{n % 2}", b'{"n": %d}' % n) for n in range(1, 11)])
    return "REST"


@pytest.fixture
def declared(boss, stream):
    Stream.objects.create(name=stream, config={"subjects": ["rest.*"]})
    return stream


def post(client, path, body=None):
    return client.post(f"{ROOT}/{path}", body or {}, content_type="application/json")


def get(client, path):
    return client.get(f"{ROOT}/{path}").json()


def planned(client, name):
    return post(client, "plan", {"names": [name]}).json()


def test_a_stream_goes_from_a_record_to_nats_by_a_plan(boss, make_stream):
    make_stream("REST_MADE", subjects=["rest.made.>"])  # It is taken away at the end.
    link().api("STREAM.DELETE.REST_MADE")
    config = {"subjects": ["rest.made.>"], "storage": "memory"}
    post(boss, "streams", {"name": "REST_MADE", "config": config})

    plan = planned(boss, "REST_MADE")
    stale = post(boss, "apply", {"hash": "0" * 16, "names": ["REST_MADE"]})
    applied = post(boss, "apply", {"hash": plan["hash"], "names": ["REST_MADE"]})

    assert [(item["name"], item["action"]) for item in plan["items"]] == [("REST_MADE", "create")]
    assert plan["differs"] is True
    assert stale.status_code == 409
    assert [(i["name"], i["outcome"]) for i in applied.json()["items"]] == [("REST_MADE", "done")]
    assert link().api("STREAM.INFO.REST_MADE")["config"]["subjects"] == ["rest.made.>"]
    assert get(boss, "plan")["differs"] is False
    assert get(boss, "streams/REST_MADE")["standing"] == "in_sync"


def test_what_nats_has_is_taken_over_to_be_observed(boss, stream):
    made = post(boss, "import", {"names": [stream, "NOWHERE"]}).json()

    assert (made["created"], made["missing"]) == ([stream], ["NOWHERE"])
    assert get(boss, f"streams/{stream}")["policy"] == "observe"


def test_messages_are_looked_at_one_by_one_and_page_by_page(boss, stream):
    page = get(boss, f"streams/{stream}/messages?limit=3&backwards=true")
    older = get(
        boss, f"streams/{stream}/messages?limit=2&backwards=true&startSeq={page['nextSeq']}"
    )
    one = get(boss, f"streams/{stream}/messages?subject=rest.1&limit=1")
    single = get(boss, f"streams/{stream}/messages/4")
    counts = get(boss, f"streams/{stream}/subjects")["subjects"]

    assert [row["seq"] for row in page["rows"]] == [10, 9, 8]
    assert [row["seq"] for row in older["rows"]] == [7, 6]
    assert one["rows"][0]["shown"] == {"n": 1}
    assert (single["subject"], single["kind"], single["shown"]) == ("rest.0", "json", {"n": 4})
    assert counts == [{"subject": "rest.0", "messages": 5}, {"subject": "rest.1", "messages": 5}]
    assert boss.get(f"{ROOT}/streams/{stream}/messages/999").status_code == 404
    assert boss.get(f"{ROOT}/streams/NOWHERE/messages").status_code == 404
    wrong = boss.get(f"{ROOT}/streams/{stream}/messages?limit=0&subject=a..b")
    assert "limit" in wrong.json()["fields"]


def test_a_test_message_says_whether_it_was_stored(boss, stream):
    stored = post(boss, "publish", {"subject": "rest.0", "message": {"n": 11}})
    nowhere = post(boss, "publish", {"subject": "nobody.listens", "message": "hello"})
    wrong = post(boss, "publish", {"subject": "rest.>", "message": "x"})

    assert stored.json() == {"stored": True, "stream": stream, "seq": 11, "duplicate": False}
    assert nowhere.json()["stored"] is False
    assert "subject" in wrong.json()["fields"]
    assert list(BrokerAct.objects.order_by("id").values_list("action", "name", "detail")) == [
        ("publish", stream, "rest.0: 11"),
        ("publish", "nobody.listens", "no stream stores it"),
    ]


def test_what_takes_away_wants_the_name_again_and_backs_up(boss, declared):
    untyped = post(boss, f"streams/{declared}/purge", {"confirm": "rest"})
    purged = post(boss, f"streams/{declared}/purge", {"confirm": declared, "keep": 4}).json()
    single = boss.delete(f"{ROOT}/streams/{declared}/messages/8?confirm={declared}")
    gone = post(boss, f"streams/{declared}/delete", {"confirm": declared}).json()

    assert untyped.status_code == 400
    assert "confirm" in untyped.json()["fields"]
    assert (purged["removed"], purged["after"]) == (6, 4)
    assert single.status_code == 204
    assert gone["before"] == 3
    backups = get(boss, f"backups?stream={declared}&state=done")["results"]
    assert {purged["backupId"], gone["backupId"]} <= {row["backupId"] for row in backups}


def test_a_backup_is_made_checked_and_brought_back(boss, stream, make_stream):
    made = post(boss, f"streams/{stream}/backup", {"reason": "test"}).json()
    verified = post(boss, f"backups/{made['backupId']}/verify")
    make_stream("REST_COPY", subjects=["rest-copy"])
    link().api("STREAM.DELETE.REST_COPY")
    taken = post(boss, f"backups/{made['backupId']}/restore", {"asName": stream})
    restored = post(boss, f"backups/{made['backupId']}/restore", {"asName": "REST_COPY"}).json()
    gone = boss.delete(f"{ROOT}/backups/{made['backupId']}")

    assert (made["state"], made["messages"]) == ("done", 10)
    assert verified.status_code == 200
    assert taken.status_code == 400
    assert (restored["stream"], restored["messages"]) == ("REST_COPY", 10)
    assert gone.status_code == 204
    assert get(boss, "backups")["results"] == []


def test_a_consumer_is_paused_resumed_set_back_and_deleted(boss, declared):
    row = StreamConsumer.objects.create(
        stream=Stream.objects.get(), name="desk", config={"ack_policy": "explicit"}
    )
    plan = planned(boss, str(row))
    post(boss, "apply", {"hash": plan["hash"], "names": [str(row)]})
    at = f"streams/{declared}/consumers/desk"

    paused = post(boss, f"{at}/pause", {"until": LATER})
    past = post(boss, f"{at}/pause", {"until": "2000-01-01T00:00:00Z"})
    resumed = post(boss, f"{at}/resume")
    untyped = post(boss, f"{at}/reset", {"confirm": "x", "seq": 3})
    reset = post(boss, f"{at}/reset", {"confirm": "desk", "seq": 3})
    gone = post(boss, f"{at}/delete", {"confirm": "desk"})

    assert (paused.status_code, paused.json()["pausedUntil"]) == (200, LATER)
    assert "until" in past.json()["fields"]
    assert resumed.status_code == 204
    assert "confirm" in untyped.json()["fields"]
    assert reset.json() == {"seq": 3}
    assert gone.status_code == 204
    names = link().api(f"CONSUMER.NAMES.{declared}").get("consumers") or []
    assert names == []


def test_a_leader_without_replicas_has_nobody_to_hand_over_to(boss, declared):
    assert post(boss, f"streams/{declared}/step-down").status_code == 409


@pytest.mark.parametrize("endpoint", sorted(monitoring.ENDPOINTS))
def test_operators_reach_the_servers_own_monitoring(boss, endpoint):
    answer = boss.get(f"/api/v1/nats/monitor/{endpoint}")

    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)
    assert "error" not in answer.json()


def test_monitoring_passes_on_what_it_knows_and_nothing_else(boss, client):
    link().api("INFO")  # From now on there is a connection.
    counted = boss.get("/api/v1/nats/monitor/connz?limit=1&auth=true")
    refused = boss.get("/api/v1/nats/monitor/connz?limit=some")
    strange = boss.get("/api/v1/nats/monitor/varz?url=http://169.254.169.254/")
    missing = boss.get("/api/v1/nats/monitor/healthz?stream=NOWHERE&account=%24G")
    stacks = boss.get("/api/v1/nats/monitor/stacksz")
    sideways = boss.get("/api/v1/nats/monitor/..%2Fstacksz")
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    clerk = client.get("/api/v1/nats/monitor/varz")

    assert len(counted.json()["connections"]) == 1
    assert refused.status_code == 400
    assert "limit" in refused.json()["error"]
    assert "url" in strange.json()["fields"]
    assert missing.status_code == 404
    assert (stacks.status_code, sideways.status_code) == (404, 404)
    assert clerk.status_code == 403


def test_monitoring_of_a_server_that_is_away_says_so(boss, settings):
    settings.NATS_MONITOR_URL = "http://127.0.0.1:9"

    assert boss.get("/api/v1/nats/monitor/varz").status_code == 503


@pytest.fixture
def killed(client, own_broker):
    """A server of its own that was killed; the link has noticed."""
    client.force_login(User.objects.create_superuser("boss"))
    link().api("INFO")
    own_broker.kill()
    wait_until(lambda: refused_at_once(client), 10, "the end of the link")
    return client


def refused_at_once(client):
    return "not connected" in client.get(f"{ROOT}/plan").json()["error"]


def test_without_nats_each_call_says_so(killed):
    Stream.objects.get_or_create(name="REST", defaults={"config": {"subjects": ["rest.*"]}})

    answers = [
        killed.get(f"{ROOT}/plan"),
        killed.get(f"{ROOT}/streams/REST/messages"),
        killed.get(f"{ROOT}/streams/REST"),
        post(killed, "publish", {"subject": "a.b", "message": "x"}),
        post(killed, "streams/REST/purge", {"confirm": "REST"}),
        post(killed, "import"),
    ]

    assert [answer.status_code for answer in answers] == [503, 503, 200, 503, 503, 503]


WORDS = ["x\0y", "$JS", "a b", "é\u2028", "A" * 3000, "%", "..", "*", ">", "REST", "-1"]
NUMBERS = ["0", "9223372036854775808", "1" * 40]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"\xff",
    b"[" * 5000,
    b'{"name":"x\\u0000","cluster":"a\\u0000","stream":1,"config":{"subjects":[null,1e308]}}',
    b'{"name":{"a":1},"config":{"max_age":1e400,"subjects":"a","sources":[{"name":[]}]}}',
    b'{"name":"REST","config":{"subjects":["\\u0000"],"placement":7,"metadata":[1]},"policy":[]}',
    b'{"config":{"subjects":["a..b"],"max_age":-99999999999999999999,"republish":"x"},"name":"Z"}',
    b'{"confirm":"REST","subject":"a..b","keep":-1,"upToSeq":99999999999999999999,"seq":"x"}',
    b'{"confirm":["x"],"names":[1,null],"hash":{},"until":"0001-01-01T00:00:00+14:00"}',
    b'{"confirm":{"a":{"b":1}},"names":["\\u0000"],"hash":"\\u0000","until":"x","policy":"manage"}',
    b'{"template":"a.{exchange}.{symbol}.\\u0000","subjects":"x","asName":"a.b","reason":7}',
    b'{"template":"{}.{exchange}{symbol}","subject":"$JS.API.STREAM.DELETE.REST","message":[]}',
    b'{"subjects":["a\\nb","' + b"x" * 3000 + b'"],"role":"king","streams":["a/b"],"enabled":"?"}',
    b'{"maxPayload":"1e9GB","natsPort":1e300,"clusterRoutes":["http://[::1"],"clientTls":"\\u0000"}',
]
QUERIES = [
    "",
    "?page=-1&pageSize=x",
    "?page=99999999999999999999999",
    "?cursor=%00%ff&since=x",
    "?since=0001-01-01T00:00:00%2B14:00",
    "?startSeq=-1&limit=99999999999&since=9999-12-31T23:59:59-14:00",
    "?subject=a..b&backwards=perhaps",
    "?subject=%00&q=%00&stream=%00&kind=%ff",
    "?confirm=%00&erase=x",
    "?limit=1&limit=2&acc=%0d%0aHost:evil&test=%20",
]
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
BODILESS = ("get", "delete", "head", "options")
CALLS = [
    pattern
    for pattern in urls.urlpatterns
    if isinstance(pattern, URLPattern) and str(pattern.pattern).startswith("api/v1/")
]


def addresses(pattern):
    """Return the address of a call with hostile names in it, one kind of them at a time."""
    route = str(pattern.pattern)
    converters = pattern.pattern.converters
    if not converters:
        return ["/" + route]
    found = []
    for number in range(max(len(WORDS), len(NUMBERS))):
        address = route
        for place, converter in converters.items():
            kind = "int" if type(converter).__name__ == "IntConverter" else "str"
            values = NUMBERS if kind == "int" else WORDS
            value = quote(values[number % len(values)], safe="")
            address = address.replace(f"<{kind}:{place}>", value)
        found.append("/" + address)
    return found


@pytest.mark.parametrize("pattern", CALLS, ids=lambda pattern: str(pattern.name))
def test_no_input_is_a_bug_of_ours(boss, declared, pattern):
    """A bug is raised through the test's client; what NATS refuses is 4xx too."""
    statuses = set()
    methods = [m for m in METHODS if hasattr(pattern.callback.view_class, m)]
    for method in methods:
        inputs = QUERIES if method in BODILESS else BODIES
        places = addresses(pattern)
        for number in range(max(len(inputs), len(places))):
            given = inputs[number % len(inputs)]
            address = places[number % len(places)]
            if method in BODILESS:
                answer = getattr(boss, method)(address + given)
            else:
                answer = getattr(boss, method)(address, given, content_type="application/json")
            statuses.add(answer.status_code)

    # This server has no system account whose user could ask for it.
    away = {503} if pattern.name == "broker-step-down-meta" else set()
    assert not {status for status in statuses - away if status >= 500}, statuses
