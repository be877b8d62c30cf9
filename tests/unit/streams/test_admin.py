"""The operator's pages of NATS, as far as they need no server."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from streams.models import (
    Advisory,
    Backup,
    BrokerAct,
    BrokerUser,
    Cluster,
    Node,
    Stream,
    StreamConsumer,
    TlsFiles,
)
from streams.services import servers

pytestmark = pytest.mark.django_db

ADMIN = "/admin/streams/"
LIST = f"{ADMIN}stream/"
READ_ONLY = ("advisory", "brokeract")
MODELS = ("stream", "streamconsumer", "cluster", "node", "brokeruser", "tlsfiles", "backup",
          *READ_ONLY)  # fmt: skip
# A page of a stream or consumer, and what changes there.
ACTS = (
    ("stream", "purge"), ("stream", "remove"), ("stream", "backup"), ("stream", "publish"),
    ("stream", "step-down"), ("stream", "messages/1/remove"), ("stream", "refresh"),
    ("stream", "accept"),
    ("streamconsumer", "pause"), ("streamconsumer", "resume"), ("streamconsumer", "reset"),
    ("streamconsumer", "remove"), ("node", "restart"), ("brokeruser", "password"),
    ("backup", "restore"),
)  # fmt: skip
HASH = "$2b$10$abcdefghijklmnopqrstuv1234567890123456789012345678901"


@pytest.fixture
def stream():
    Stream.objects.all().delete()
    return Stream.objects.create(
        name="ORDERS", config={"subjects": ["orders.>"], "max_msgs": 20_000}, messages=12_345,
        bytes=3_674_065, standing="drifted", drift=["max_msgs"],
        live={"subjects": ["orders.>"], "max_msgs": 15_000, "max_age": 3_600_000_000_000},
    )  # fmt: skip


@pytest.fixture
def world(stream):
    """One row of everything, by the name of its model."""
    cluster = Cluster.objects.get(name="tickplane")
    return {
        "stream": stream,
        "streamconsumer": StreamConsumer.objects.create(stream=stream, name="books"),
        "cluster": cluster,
        "node": Node.objects.get(name="tickplane"),
        "brokeruser": BrokerUser.objects.create(
            cluster=cluster, name="feed", role="producer", subjects=["orders.>"],
            password_hash=HASH,
        ),
        "tlsfiles": TlsFiles.objects.create(name="web", cert_file="/none", key_file="/none"),
        "backup": Backup.objects.create(
            stream="ORDERS", actor="ann", state="done", file="x", config={"name": "ORDERS"}
        ),
        "advisory": Advisory.objects.create(
            event_id="1", at=timezone.now(), kind="stream_action", stream="ORDERS", data={"a": 1}
        ),
        "brokeract": BrokerAct.objects.create(
            actor="ann", action="edit", kind="stream", name="ORDERS",
            before={"max_msgs": 1}, after={"max_msgs": 2, "max_age": 60_000_000_000},
        ),
    }  # fmt: skip


def signed_in(client, *permissions):
    """Sign a member of staff in who may do no more than that, for example view_stream."""
    user = get_user_model().objects.create_user("onlooker", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="streams", codename__in=permissions)
    )
    client.force_login(user)
    return client


def posted(page, **changed):
    """Return what a browser would send of the form of a page."""
    data = {}
    form = page.context["adminform"].form
    for name, field in form.fields.items():
        if name in page.context["adminform"].readonly_fields:
            continue
        value = field.prepare_value(form.get_initial_for_field(field, name))
        if value not in (None, False):
            data[name] = getattr(value, "pk", value)
    for formset in page.context["inline_admin_formsets"]:
        for field in formset.formset.management_form:
            data[field.html_name] = field.value()
    return {**data, **changed}


# Lists


def test_the_list_writes_numbers_for_people(admin_client, stream):
    page = admin_client.get(LIST).content.decode().replace("\xa0", " ")

    for shown in ("orders.&gt;", "12,345", "3.5 MB", "drifted", "max_msgs", "82 %", "1h"):
        assert shown in page


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_every_row_has_a_page(admin_client, world, model):
    assert admin_client.get(f"{ADMIN}{model}/").status_code == 200
    assert admin_client.get(f"{ADMIN}{model}/?q=ORDERS").status_code == 200
    page = admin_client.get(f"{ADMIN}{model}/{world[model].pk}/change/")
    assert page.status_code == 200
    assert HASH not in page.content.decode()


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_the_machine_wrote_is_only_shown(admin_client, world, model):
    row = f"{ADMIN}{model}/{world[model].pk}/"

    assert admin_client.get(f"{ADMIN}{model}/add/").status_code == 403
    assert admin_client.post(f"{row}change/", {}).status_code == 403
    assert admin_client.post(f"{row}delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["stream", "streamconsumer", "node", "brokeruser", "backup"])
def test_a_long_list_takes_as_many_queries_as_a_short_one(admin_client, world, model):
    address = f"{ADMIN}{model}/"
    admin_client.get(address)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(address)
    stream, cluster = world["stream"], world["cluster"]
    for number in range(20):
        other = Stream.objects.create(name=f"S{number}", config={"subjects": [f"s{number}"]})
        StreamConsumer.objects.create(stream=other, name="one")
        StreamConsumer.objects.create(stream=stream, name=f"c{number}")
        Node.objects.create(cluster=cluster, name=f"n{number}")
        BrokerUser.objects.create(cluster=cluster, name=f"u{number}")
        Backup.objects.create(stream="ORDERS", actor="ann", file="x")
    with CaptureQueriesContext(connection) as many:
        page = admin_client.get(address)

    assert len(page.context["cl"].result_list) > 20
    assert len(many) == len(few)


def test_streams_are_filtered_and_searched(admin_client, stream):
    Stream.objects.create(name="BILLS", config={"subjects": ["bills.>"]}, policy="observe")

    def names(query):
        return [row.name for row in admin_client.get(f"{LIST}?{query}").context["cl"].result_list]

    assert names("policy=observe") == ["BILLS"]
    assert names("standing=drifted") == ["ORDERS"]
    assert names("q=bill") == ["BILLS"]


# Streams


def test_a_stream_keeps_its_name(admin_client, stream):
    page = admin_client.get(f"{LIST}{stream.pk}/change/").content.decode()

    assert 'name="name"' not in page


def test_a_stream_is_declared_edited_and_forgotten_and_each_act_is_written_down(admin_client):
    Stream.objects.all().delete()
    blank = admin_client.get(f"{LIST}add/")
    typed = {"name": "BILLS", "js_subjects": "bills.>", "js_max_age": "1h", "js_max_bytes": "10GB"}

    made = admin_client.post(f"{LIST}add/", posted(blank, **typed), follow=True)
    stream = Stream.objects.get(name="BILLS")
    page = admin_client.get(f"{LIST}{stream.pk}/change/")
    Stream.objects.filter(pk=stream.pk).update(messages=7)
    admin_client.post(f"{LIST}{stream.pk}/change/", posted(page, js_max_age="2h"))
    admin_client.post(f"{LIST}{stream.pk}/delete/", {"post": "yes"})

    assert "until the plan is applied" in made.content.decode()
    assert stream.config == {
        "subjects": ["bills.>"], "max_age": 3_600_000_000_000, "max_bytes": 10 << 30,
    }  # fmt: skip
    created, edited, deleted = BrokerAct.objects.order_by("id")
    assert [act.action for act in (created, edited, deleted)] == ["create", "edit", "delete"]
    assert {act.name for act in (created, edited, deleted)} == {"BILLS"}
    assert created.actor == "admin"
    before, after, last = (dict(act or {}) for act in (edited.before, edited.after, deleted.before))
    assert before["config"]["max_age"] == 3_600_000_000_000
    assert after["config"]["max_age"] == 7_200_000_000_000
    assert last["config"] == after["config"]
    assert not Stream.objects.exists()


def test_saving_what_nobody_touched_writes_nothing(admin_client, stream):
    before = dict(stream.config)
    page = admin_client.get(f"{LIST}{stream.pk}/change/")

    admin_client.post(f"{LIST}{stream.pk}/change/", posted(page))

    stream.refresh_from_db()
    assert stream.config == before
    assert not BrokerAct.objects.exists()


def test_a_second_stream_of_one_name_is_refused_beside_the_field(admin_client, stream):
    blank = admin_client.get(f"{LIST}add/")

    page = admin_client.post(f"{LIST}add/", posted(blank, name="ORDERS", js_subjects="x"))

    assert list(page.context["adminform"].form.errors) == ["name"]


def test_the_page_of_a_stream_shows_how_its_sides_differ(admin_client, world):
    page = admin_client.get(f"{LIST}{world['stream'].pk}/change/")

    first = page.context["sides"][0]
    assert (first["field"], first["declared"], first["live"]) == ("max_msgs", "20000", "15000")
    assert first["differs"]
    assert [act.actor for act in page.context["trail"]] == ["ann"]
    assert [backup.actor for backup in page.context["backups"]] == ["ann"]
    assert [told.kind for told in page.context["advisories"]] == ["stream_action"]


def test_the_audit_trail_shows_what_changed(admin_client, world):
    page = admin_client.get(f"{ADMIN}brokeract/{world['brokeract'].pk}/change/").content.decode()

    assert "<del>1</del>" in page
    assert "<ins>2</ins>" in page
    assert "<ins>1m</ins>" in page


def test_what_is_odd_in_a_column_of_json_breaks_no_page(admin_client, world):
    Stream.objects.filter(pk=world["stream"].pk).update(
        config={"subjects": [1], "max_msgs": "x", "max_age": []}, live={}, applied=[], drift=[]
    )
    BrokerUser.objects.update(subjects=["a..b"])
    Cluster.objects.update(max_payload="much")

    for path in ("stream/", f"stream/{world['stream'].pk}/change/",
                 f"brokeruser/{world['brokeruser'].pk}/change/",
                 f"node/{world['node'].pk}/configuration/"):  # fmt: skip
        assert admin_client.get(ADMIN + path).status_code == 200, path


# Who may


@pytest.mark.parametrize(("model", "act"), ACTS)
def test_an_onlooker_looks_and_changes_nothing(client, world, model, act):
    views = [f"view_{name}" for name in MODELS]
    onlooker = signed_in(client, *views)
    row = f"{ADMIN}{model}/{world[model].pk}/"

    page = onlooker.get(f"{row}change/")
    answer = onlooker.post(f"{row}{act}/", {"typed_name": "ORDERS", "password": "x" * 20})

    assert page.status_code == 200
    assert f"/{world[model].pk}/{act}/" not in page.content.decode()
    assert answer.status_code == 403
    assert BrokerAct.objects.count() == 1  # The one that the world begins with.


def test_an_onlooker_applies_and_imports_nothing(client, world):
    onlooker = signed_in(client, "view_stream", "view_streamconsumer")

    assert onlooker.post(f"{LIST}plan/", {"plan_hash": "x"}).status_code == 403
    assert onlooker.get(f"{LIST}import/").status_code == 403
    assert onlooker.post(f"{LIST}import/", {"all": "1"}).status_code == 403
    listed = onlooker.get(LIST).content.decode()
    assert "accept_selected" not in listed
    assert "delete_selected" not in listed


def test_who_may_change_may_not_yet_delete(client, world):
    editor = signed_in(client, "view_stream", "change_stream")
    row = f"{LIST}{world['stream'].pk}/"

    page = editor.get(f"{row}change/").content.decode()

    assert "/publish/" in page
    assert "/purge/" not in page
    assert editor.get(f"{row}purge/").status_code == 403
    assert editor.post(f"{row}remove/", {"typed_name": "ORDERS"}).status_code == 403


@pytest.mark.parametrize("act", ["plan", "import"])
def test_who_sees_no_streams_has_none_of_their_pages(client, world, act):
    stranger = signed_in(client, "view_cluster")

    assert stranger.get(f"{LIST}{act}/").status_code == 403
    assert stranger.get(f"{LIST}{world['stream'].pk}/messages/").status_code == 403
    assert stranger.get(f"{ADMIN}node/{world['node'].pk}/configuration/").status_code == 403


@pytest.mark.parametrize(
    ("model", "act"), [pair for pair in ACTS if pair[1] in ("backup", "step-down", "refresh",
                                                           "accept", "resume", "restart")]
)  # fmt: skip
def test_what_changes_is_never_asked_for_by_a_link(admin_client, world, model, act):
    assert admin_client.get(f"{ADMIN}{model}/{world[model].pk}/{act}/").status_code == 405


@pytest.mark.parametrize(("model", "act"), [*ACTS, ("stream", "messages")])
def test_what_is_not_there_has_no_page(admin_client, model, act):
    assert admin_client.post(f"{ADMIN}{model}/999999/{act}/", {}).status_code == 404


def test_a_form_without_its_csrf_token_is_refused(world):
    from django.test import Client  # noqa: PLC0415

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_superuser("boss"))

    for path in (f"stream/{world['stream'].pk}/purge/", "stream/plan/", "stream/import/",
                 f"brokeruser/{world['brokeruser'].pk}/password/"):  # fmt: skip
        assert strict.post(ADMIN + path, {}).status_code == 403


# Users


def test_a_password_that_is_made_is_shown_once(admin_client, world):
    user = world["brokeruser"]
    address = f"{ADMIN}brokeruser/{user.pk}/password/"

    page = admin_client.post(address, {"password": ""})
    secret = page.context["secret"]

    user.refresh_from_db()
    assert f'id="secret">{secret}<' in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert user.password_hash not in ("", HASH)
    for path in (address, f"{ADMIN}brokeruser/{user.pk}/change/", f"{ADMIN}brokeruser/",
                 f"{ADMIN}brokeruser/{user.pk}/history/",
                 f"{ADMIN}node/{world['node'].pk}/configuration/"):  # fmt: skip
        text = admin_client.get(path).content.decode()
        assert secret not in text
        assert user.password_hash not in text
    act = BrokerAct.objects.latest("id")
    assert (act.action, act.name, act.before, act.after) == (
        "set_password", "tickplane/feed", None, None,
    )  # fmt: skip


def test_a_password_that_is_typed_is_never_shown(admin_client, world):
    user = world["brokeruser"]
    address = f"{ADMIN}brokeruser/{user.pk}/password/"

    short = admin_client.post(address, {"password": "short"})
    long = admin_client.post(address, {"password": "é" * 60})
    page = admin_client.post(address, {"password": "typed-by-hand-7"})

    assert list(short.context["form"].errors) == list(long.context["form"].errors) == ["password"]
    assert "typed-by-hand-7" not in page.content.decode()
    user.refresh_from_db()
    assert user.password_hash != HASH


def test_a_node_shows_its_configuration_without_secrets(admin_client, world, settings):
    settings.NATS_PASSWORD = "the-administrators-own"
    Node.objects.create(cluster=world["cluster"], name="second", address="node2")

    page = admin_client.get(f"{ADMIN}node/{world['node'].pk}/configuration/")

    text = page.context["text"]
    assert 'user: "feed"' in text
    assert "orders.&gt;" in page.content.decode()
    assert "node2" in text
    for secret in (HASH, "$2b$", servers.system_password(), servers.admin_password(),
                   servers.route_password()):  # fmt: skip
        assert secret not in page.content.decode()


def test_a_user_whose_name_is_tickplanes_own_is_refused(admin_client, world):
    address = f"{ADMIN}brokeruser/add/"
    blank = admin_client.get(address)

    page = admin_client.post(
        address,
        posted(blank, cluster=world["cluster"].pk, name="tickplane", role="consumer", subjects="a"),
    )

    assert list(page.context["adminform"].form.errors) == ["name"]
    assert not BrokerUser.objects.filter(name="tickplane").exists()


def test_the_page_of_a_user_shows_what_the_server_lets_it_do(admin_client, world):
    page = admin_client.get(f"{ADMIN}brokeruser/{world['brokeruser'].pk}/change/")

    may = {str(name): str(listed) for name, listed in page.context["permissions"]}
    assert "<code>orders.&gt;</code>" in may["May publish"]
    assert may["May subscribe"] == "<code>_INBOX.&gt;</code> <code>_INBOX_feed.&gt;</code>"


# Servers


def test_a_nodes_restart_is_asked_for(admin_client, world):
    node = world["node"]
    Node.objects.filter(pk=node.pk).update(awaits_restart=["client port"])

    admin_client.post(f"{ADMIN}node/{node.pk}/restart/")
    page = admin_client.get(f"{ADMIN}node/{node.pk}/change/").content.decode()

    node.refresh_from_db()
    assert node.restart_wanted == 1
    assert "for client port" in page
    assert "has been asked for" in page
    assert BrokerAct.objects.latest("id").action == "restart"


def test_the_clusters_settings_are_edited_and_written_down(admin_client, world):
    address = f"{ADMIN}cluster/{world['cluster'].pk}/change/"
    page = admin_client.get(address)

    wrong = admin_client.post(address, posted(page, max_payload="much"))
    admin_client.post(address, posted(page, max_payload="2MB"))

    assert list(wrong.context["adminform"].form.errors) == ["max_payload"]
    act = BrokerAct.objects.latest("id")
    sides = [dict(side or {})["max_payload"] for side in (act.before, act.after)]
    assert (act.kind, sides) == ("cluster", ["1MB", "2MB"])


@pytest.mark.parametrize("model", ["node", "cluster"])
def test_the_installations_own_server_is_not_deleted(admin_client, world, model):
    page = admin_client.get(f"{ADMIN}{model}/{world[model].pk}/delete/")
    answer = admin_client.post(f"{ADMIN}{model}/{world[model].pk}/delete/", {"post": "yes"})

    assert page.context["protected"]
    assert answer.status_code == 200
    assert Node.objects.filter(name="tickplane").exists()


def test_files_that_cannot_be_read_are_told(admin_client, world, tmp_path):
    page = admin_client.get(f"{ADMIN}tlsfiles/").content.decode()
    garbage = tmp_path / "cert.pem"
    garbage.write_text("no certificate")
    TlsFiles.objects.update(cert_file=str(garbage), key_file=str(garbage))
    readable = admin_client.get(f"{ADMIN}tlsfiles/").content.decode()

    assert "The certificate file cannot be read: No such file or directory." in page
    assert "The key file cannot be read" in page
    assert "holds no certificate" in readable


# Subject templates


def test_templates_are_edited_on_one_page(admin_client, db):
    address = f"{ADMIN}subjecttemplate/"
    Stream.objects.get_or_create(name="M", defaults={"config": {"subjects": ["market.>"]}})

    wrong = admin_client.post(address, {"data_type": "trade", "template": "market.{nothing}"})
    unknown = admin_client.post(address, {"data_type": "x", "template": "y"})
    admin_client.post(
        address, {"data_type": "trade", "template": "market.{symbol}.{exchange}.{type}"}
    )
    page = admin_client.get(address)
    trade = next(line for line in page.context["rows"] if line["row"].data_type == "trade")

    assert "{nothing}" in wrong.context["refusal"]
    assert unknown.context["refusal"]
    assert (trade["text"], trade["changed"]) == ("market.{symbol}.{exchange}.{type}", True)
    admin_client.post(address, {"data_type": "trade", "reset": "1"})
    assert not any(line["changed"] for line in admin_client.get(address).context["rows"])


def test_an_onlooker_edits_no_template(client, db):
    onlooker = signed_in(client, "view_subjecttemplate")

    assert onlooker.get(f"{ADMIN}subjecttemplate/").status_code == 200
    answer = onlooker.post(f"{ADMIN}subjecttemplate/", {"data_type": "trade", "template": "a"})
    assert answer.status_code == 403


# YAML

YAML = """
message-broker-service:
  port: 8086
  nats:
    max_payload: "2MB"
    users:
      - {user: reader, password: "hunter2-hunter2", permissions: {subscribe: ["market.>"]}}
    streams:
      CUSTOM_STREAM: {subjects: ["custom.>"], max_age: 7200}
"""


def offered(client, text, **changed):
    """Try this text as a file."""
    file = SimpleUploadedFile("broker.yaml", text if isinstance(text, bytes) else text.encode())
    data = {"cluster": "tickplane", "file": file, **changed}
    return client.post(f"{ADMIN}cluster/import/", data)


def test_a_yaml_file_is_tried_and_then_imported(admin_client, world):
    tried = offered(admin_client, YAML)
    untouched = Stream.objects.filter(name="CUSTOM_STREAM").exists()
    parcel = {"parcel": tried.context["parcel"], "cluster": "tickplane"}
    admin_client.post(f"{ADMIN}cluster/import/", parcel)

    assert "nothing is written yet" in tried.content.decode()
    assert "CUSTOM_STREAM" in tried.content.decode()
    assert "hunter2" not in tried.content.decode()
    assert not untouched
    assert Stream.objects.get(name="CUSTOM_STREAM").config["max_age"] == 7_200_000_000_000
    assert BrokerUser.objects.get(name="reader").password_hash.startswith("$2b$")
    assert Cluster.objects.get(name="tickplane").max_payload == "2MB"


def test_what_was_tried_is_imported_for_nobody_else_and_nowhere_else(admin_client, client, world):
    tried = offered(admin_client, YAML)
    parcel = tried.context["parcel"]
    other = admin_client.post(f"{ADMIN}cluster/import/", {"parcel": parcel, "cluster": "other"})
    altered = admin_client.post(f"{ADMIN}cluster/import/", {"parcel": "x", "cluster": "tickplane"})

    assert "choose the file again" in other.content.decode()
    assert "choose the file again" in altered.content.decode()
    assert not Stream.objects.filter(name="CUSTOM_STREAM").exists()


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "x", "[]", "message-broker-service: {nats: {nats_port: no}}",
     "message-broker-service: {nope: 1}", b"\xff\xfe", "a: &x [*x]", "\x00",
     "message-broker-service: {nats: {streams: {A: {subjects: 7}}}}", "- " * 5000],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_in_words(admin_client, world, text):
    before = Stream.objects.count()

    page = offered(admin_client, text)

    assert page.status_code == 200
    assert page.context.get("refusal") or page.context["form"].errors
    assert "parcel" not in page.context
    assert Stream.objects.count() == before


def test_what_is_exported_can_be_imported_and_holds_no_password(admin_client, world):
    answer = admin_client.get(f"{ADMIN}cluster/{world['cluster'].pk}/export/")
    text = answer.content.decode()

    tried = offered(admin_client, text)

    assert "attachment" in answer["Content-Disposition"]
    assert "ORDERS" in text
    assert HASH not in text
    assert {item.action for item in tried.context["report"].items} == {"unchanged"}


def test_an_onlooker_imports_no_file(client, world):
    onlooker = signed_in(client, "view_cluster", "add_cluster", "change_cluster")

    assert onlooker.get(f"{ADMIN}cluster/import/").status_code == 403
    assert onlooker.get(f"{ADMIN}cluster/{world['cluster'].pk}/export/").status_code == 403
    assert "/import/" not in onlooker.get(f"{ADMIN}cluster/").content.decode()
