"""The operator's pages of streams, against a real nats-server."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from streams import services
from streams.models import Backup, BrokerAct, Stream, StreamConsumer

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

LIST = "/admin/streams/stream/"
CONSUMERS = "/admin/streams/streamconsumer/"
BACKUPS = "/admin/streams/backup/"
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def broker(own_nats, settings, tmp_path):
    settings.NATS_URL, settings.NATS_MONITOR_URL = own_nats.url, own_nats.monitor_url
    settings.HOME = tmp_path / "home"
    services.link.cache_clear()
    yield own_nats
    services.link().close()
    services.link.cache_clear()


@pytest.fixture
def operator(client):
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def stream(broker):
    Stream.objects.all().delete()
    return Stream.objects.create(name="ORDERS", config={"subjects": ["orders.>"]})


def row(stream, act=""):
    return f"{LIST}{stream.pk}/{act}"


def plan(operator, *names):
    return operator.get(f"{LIST}plan/", {"name": names}).context


def applied(operator, *names, **typed):
    """Apply what the page shows; return what it told."""
    body = {"plan_hash": plan(operator, *names)["plan"].hash, "name": names, **typed}
    return told(operator.post(f"{LIST}plan/", body, follow=True))


def told(page):
    return " ".join(str(message) for message in page.context["messages"])


def publish(operator, stream, subject, message, kind="json"):
    body = {"subject": subject, "message": message, "kind": kind}
    return operator.post(row(stream, "publish/"), body, follow=True)


def filled(operator, stream, count=3):
    applied(operator)
    for number in range(count):
        publish(operator, stream, f"orders.{number % 2}", f'{{"n": {number}}}')


def test_a_stream_is_planned_applied_and_as_declared(operator, stream):
    before = plan(operator)
    told_of = applied(operator)
    after = plan(operator)

    assert [entry["item"].action for entry in before["items"]] == ["create"]
    assert "1 change applied." in told_of
    assert after["items"] == []
    assert after["in_sync"] == 1
    assert services.link().api("STREAM.INFO.ORDERS")["config"]["subjects"] == ["orders.>"]
    assert BrokerAct.objects.filter(actor="operator", action="create", name="ORDERS").exists()
    assert "as declared" in operator.get(LIST).content.decode()


def test_a_plan_that_is_out_of_date_applies_nothing(operator, stream):
    old = plan(operator)["plan"].hash
    Stream.objects.update(config={"subjects": ["orders.>"], "max_msgs": 5})

    page = operator.post(f"{LIST}plan/", {"plan_hash": old}, follow=True)

    assert "changed" in told(page)
    assert services.live_streams() == []


def test_a_change_is_reviewed_field_by_field_and_drift_is_named(operator, stream):
    applied(operator)
    info = services.link().api("STREAM.INFO.ORDERS")["config"]
    services.link().api("STREAM.UPDATE.ORDERS", {**info, "description": "somebody else's"})
    Stream.objects.update(config={"subjects": ["orders.>"], "max_age": HOUR_NS})

    context = plan(operator, "ORDERS")
    page = operator.get(f"{LIST}plan/").content.decode()

    lines = {line["field"]: line for line in context["items"][0]["lines"]}
    assert lines["max_age"]["desired"] == "1h"
    assert not lines["max_age"]["stays"]
    assert "description" in lines
    assert "<ins>1h</ins>" in page


def test_what_loses_messages_waits_for_the_typed_name_and_a_backup(operator, stream):
    filled(operator, stream)
    Stream.objects.update(config={"subjects": ["orders.>"], "max_msgs": 1})

    entry = plan(operator)["items"][0]
    without = applied(operator)
    wrong = applied(operator, **{entry["confirm"]: "orders"})
    kept = services.live_streams()[0]["state"]["messages"]
    done = applied(operator, **{entry["confirm"]: "ORDERS"})

    assert entry["confirm"]
    assert "its name was not typed" in without
    assert "its name was not typed" in wrong
    assert kept == 3
    assert "1 change applied." in done
    assert "a backup was taken first" in done
    assert services.live_streams()[0]["state"]["messages"] == 1


def test_messages_are_looked_at_page_by_page(operator, stream):
    filled(operator, stream, count=45)

    newest = operator.get(row(stream, "messages/")).context
    older = operator.get(row(stream, "messages/") + newest["further"]["older"]).context
    back = operator.get(row(stream, "messages/") + older["further"]["newer"]).context
    oldest = operator.get(row(stream, "messages/"), {"way": "oldest"}).context
    some = operator.get(row(stream, "messages/"), {"subject": "orders.1", "seq": 10}).context
    page = operator.get(row(stream, "messages/"), {"seq": 7, "way": "oldest"}).content.decode()

    def seqs(context):
        return [entry["row"].seq for entry in context["rows"]]

    assert seqs(newest) == list(range(45, 25, -1))
    assert seqs(older) == list(range(25, 5, -1))
    assert seqs(back) == list(range(26, 46))
    assert seqs(oldest) == list(range(1, 21))
    assert seqs(some) == [10, 8, 6, 4, 2]
    assert "&quot;n&quot;: 6" in page
    assert "newer" not in newest["further"]
    assert services.link().api("STREAM.INFO.ORDERS")["state"]["consumer_count"] == 0


@pytest.mark.parametrize(
    "query",
    ["seq=0", "seq=-1", "seq=x", "seq=" + "9" * 30, "subject=a..b", "subject=%00", "since=soon",
     "since=0001-01-01", "since=9999-12-31+23:59", "way=sideways", "seq=1&since=2020-01-01"],
)  # fmt: skip
def test_a_question_that_cannot_be_is_answered_with_a_page(operator, stream, query):
    filled(operator, stream, count=1)

    assert operator.get(f"{row(stream, 'messages/')}?{query}").status_code == 200
    assert operator.get(f"{row(stream, 'purge/')}?{query}&up_to_seq={query}").status_code == 200


def test_a_test_message_is_stored_and_written_down(operator, stream):
    applied(operator)

    page = publish(operator, stream, "orders.new", '{"symbol": "<b>"}')
    refused = publish(operator, stream, "bills.new", "{}")

    assert "Published to orders.new." in told(page)
    assert "&lt;b&gt;" in page.content.decode()
    assert list(refused.context["form"].errors) == ["subject"]
    act = BrokerAct.objects.latest("id")
    assert (act.action, act.detail) == ("publish", "orders.new")


def test_a_purge_counts_first_and_wants_the_name(operator, stream):
    filled(operator, stream, count=4)
    chosen = {"subject": "orders.1"}

    preview = operator.get(row(stream, "purge/"), chosen)
    wrong = operator.post(row(stream, "purge/"), {**chosen, "typed_name": "orders"})
    done = operator.post(row(stream, "purge/"), {**chosen, "typed_name": "ORDERS"}, follow=True)

    assert preview.context["count"] == 2
    assert "2 messages would be removed" in preview.content.decode()
    assert list(wrong.context["form"].errors) == ["typed_name"]
    assert "2 messages removed." in told(done)
    assert "is in the backup" in told(done)
    assert Backup.objects.get().state == "done"


@pytest.mark.parametrize("policy", ["observe", "protect"])
def test_a_guarded_stream_is_neither_purged_nor_deleted(operator, stream, policy):
    filled(operator, stream, count=1)
    Stream.objects.update(policy=policy)

    for act in ("purge/", "remove/"):
        page = operator.get(row(stream, act)).content.decode()
        answer = operator.post(row(stream, act), {"typed_name": "ORDERS"})
        assert "The policy of this stream forbids it" in page
        assert 'name="typed_name"' not in page
        assert answer.status_code == 200

    assert services.live_streams()[0]["state"]["messages"] == 1


def test_a_stream_is_backed_up_deleted_and_restored(operator, stream):
    filled(operator, stream)

    saved = operator.post(row(stream, "backup/"), follow=True)
    backup = Backup.objects.get()
    gone = operator.post(
        row(stream, "remove/"), {"typed_name": "ORDERS", "skip_backup": "on"}, follow=True
    )
    empty = services.live_streams()
    checked = operator.post(f"{BACKUPS}{backup.pk}/verify/", follow=True)
    back = operator.post(f"{BACKUPS}{backup.pk}/restore/", {}, follow=True)
    again = operator.post(f"{BACKUPS}{backup.pk}/restore/", {})
    copy = operator.post(
        f"{BACKUPS}{backup.pk}/restore/", {"as_name": "COPY", "subjects": "copy.>"}, follow=True
    )

    assert "Backed up: 3 messages" in told(saved)
    assert "deleted in NATS" in told(gone)
    assert empty == []
    assert Stream.objects.filter(name="ORDERS").exists()
    assert "what was written" in told(checked)
    assert "ORDERS is back with 3 messages." in told(back)
    assert again.context["form"].non_field_errors()
    assert "COPY is back with 3 messages." in told(copy)


def test_a_stream_that_nobody_declared_is_imported(operator, stream):
    for name in ("ALPHA", "BETA"):
        services.link().api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.>"]})

    page = operator.get(f"{LIST}import/")
    nothing = operator.post(f"{LIST}import/", {"policy": "observe"}, follow=True)
    odd = operator.post(f"{LIST}import/", {"policy": "own", "name": "ALPHA"}, follow=True)
    done = operator.post(f"{LIST}import/", {"policy": "observe", "name": ["ALPHA", "NONE"]},
                         follow=True)  # fmt: skip

    assert [found["name"] for found in page.context["found"]] == ["ALPHA", "BETA"]
    assert "Choose a stream." in told(nothing)
    assert "Choose a policy." in told(odd)
    assert "1 record made." in told(done)
    assert "Not in NATS: NONE" in told(done)
    assert Stream.objects.get(name="ALPHA").policy == "observe"
    assert not Stream.objects.filter(name="BETA").exists()


def test_a_consumer_is_made_paused_resumed_set_back_and_deleted(operator, stream):
    consumer = StreamConsumer.objects.create(
        stream=stream, name="books", config={"ack_policy": "explicit"}
    )
    filled(operator, stream)
    page = f"{CONSUMERS}{consumer.pk}/"

    refreshed = operator.post(row(stream, "refresh/"), follow=True)
    listed = operator.get(CONSUMERS).content.decode()
    paused = operator.post(f"{page}pause/", {"span": "1h"}, follow=True)
    long = operator.post(f"{page}pause/", {"span": "9999d"})
    resumed = operator.post(f"{page}resume/", follow=True)
    moved = operator.post(f"{page}reset/", {"typed_name": "books", "seq": "2"}, follow=True)
    wrong = operator.post(f"{page}remove/", {"typed_name": "ORDERS"})
    removed = operator.post(f"{page}remove/", {"typed_name": "books"}, follow=True)

    assert "Refreshed." in told(refreshed)
    assert '<td class="field-waiting">3</td>' in listed
    assert "Paused until" in told(paused)
    assert list(long.context["form"].errors) == ["span"]
    assert "delivers again" in told(resumed)
    assert "goes on from sequence 2" in told(moved)
    assert list(wrong.context["form"].errors) == ["typed_name"]
    assert "deleted in NATS" in told(removed)
    assert services.link().api("CONSUMER.NAMES.ORDERS")["total"] == 0


def test_a_single_servers_leader_stays_and_the_page_says_so(operator, stream):
    applied(operator)

    page = operator.post(row(stream, "step-down/"), follow=True)

    assert page.status_code == 200
    assert told(page)


def test_without_nats_every_page_opens_and_says_so(operator, stream, broker):
    filled(operator, stream, count=1)
    operator.post(row(stream, "backup/"))
    consumer = StreamConsumer.objects.create(stream=stream, name="books")
    backup = Backup.objects.get()
    hash_ = plan(operator)["plan"].hash
    broker.kill()

    looks = [f"{LIST}plan/", f"{LIST}import/", row(stream, "messages/"), row(stream, "purge/"),
             row(stream, "remove/")]  # fmt: skip
    quiet = [LIST, CONSUMERS, row(stream, "change/"), f"{CONSUMERS}{consumer.pk}/change/"]
    acts = [
        (f"{LIST}plan/", {"plan_hash": hash_}),
        (f"{LIST}import/", {"all": "1", "policy": "observe"}),
        (row(stream, "publish/"), {"subject": "orders.x", "message": "{}", "kind": "json"}),
        (row(stream, "purge/"), {"typed_name": "ORDERS"}),
        (row(stream, "remove/"), {"typed_name": "ORDERS"}),
        (row(stream, "backup/"), {}),
        (row(stream, "refresh/"), {}),
        (row(stream, "accept/"), {}),
        (row(stream, "step-down/"), {}),
        (f"{CONSUMERS}{consumer.pk}/pause/", {"span": "1h"}),
        (f"{CONSUMERS}{consumer.pk}/resume/", {}),
        (f"{CONSUMERS}{consumer.pk}/reset/", {"typed_name": "books"}),
        (f"{CONSUMERS}{consumer.pk}/remove/", {"typed_name": "books"}),
        (f"{BACKUPS}{backup.pk}/restore/", {"as_name": "COPY"}),
    ]

    for path in quiet:
        assert operator.get(path).status_code == 200, path
    for path in looks:
        assert "NATS is away" in operator.get(path).content.decode(), path
    for path, body in acts:
        page = operator.post(path, body, follow=True)
        assert page.status_code == 200, path
        assert "NATS is away" in page.content.decode(), path


def test_one_message_is_removed_with_the_streams_name(operator, stream):
    filled(operator, stream)
    address = row(stream, "messages/2/remove/")

    wrong = operator.post(address, {"typed_name": "2"})
    done = operator.post(address, {"typed_name": "ORDERS", "erase": "on"}, follow=True)
    again = operator.post(address, {"typed_name": "ORDERS"})

    assert list(wrong.context["form"].errors) == ["typed_name"]
    assert "Message 2 is removed." in told(done)
    assert [entry["row"].seq for entry in done.context["rows"]] == [3, 1]
    assert again.context["form"].non_field_errors()
    assert operator.get(row(stream, f"messages/{10**30}/remove/")).status_code == 404


def test_what_is_emptied_in_the_form_goes_in_nats(operator, stream):
    Stream.objects.update(
        config={"subjects": ["orders.>"], "republish": {"src": ">", "dest": "copy.>"}}
    )
    applied(operator)
    form = operator.get(row(stream, "change/")).context["adminform"].form
    body = {
        name: value
        for name, field in form.fields.items()
        if (value := field.prepare_value(form.get_initial_for_field(field, name))) is not None
    }

    operator.post(row(stream, "change/"), {**body, "js_republish": ""})
    review = operator.get(f"{LIST}plan/").content.decode()
    applied(operator)

    assert "<ins>without it</ins>" in review
    assert "republish" not in services.link().api("STREAM.INFO.ORDERS")["config"]
    assert plan(operator)["items"] == []


def test_a_backup_that_is_being_written_is_not_deleted(admin_client, settings, tmp_path):
    settings.HOME = tmp_path
    running = Backup.objects.create(stream="A", actor="anna", file="a.tar")
    page = f"/admin/streams/backup/{running.pk}/delete/"
    chosen = {"action": "delete_selected", "_selected_action": [running.pk], "post": "yes"}

    assert admin_client.post(page, {"post": "yes"}).status_code == 403
    assert admin_client.post("/admin/streams/backup/", chosen).status_code in (200, 302, 403)
    assert Backup.objects.filter(pk=running.pk).exists()
