from __future__ import annotations

import pytest
from django.urls import reverse

from pipeline.models import DataSource

pytestmark = pytest.mark.django_db

LIST = "admin:pipeline_datasource_changelist"


@pytest.fixture
def source():
    return DataSource.objects.create(name="a", endpoint="ws://127.0.0.1:1/stream", received=7000)


def test_the_list_shows_state_and_counters(admin_client, source):
    page = admin_client.get(reverse(LIST)).content.decode()

    assert "stopped" in page
    assert ">7,000<" in page


@pytest.mark.parametrize(("action", "before"), [("enable", False), ("disable", True)])
def test_actions_enable_and_disable(admin_client, source, action, before):
    DataSource.objects.update(enabled=before)

    answer = admin_client.post(
        reverse(LIST), {"action": action, "_selected_action": [source.pk]}, follow=True
    )

    assert f"1 source {action}d." in answer.content.decode()
    assert DataSource.objects.get().enabled is not before
    again = admin_client.post(
        reverse(LIST), {"action": action, "_selected_action": [source.pk]}, follow=True
    )
    assert f"Nothing to do: they are {action}d already." in again.content.decode()


def test_saving_does_not_undo_what_the_pipeline_wrote(admin_client, source, monkeypatch):
    url = reverse("admin:pipeline_datasource_change", args=[source.pk])
    form = {
        "venue": "binance", "protocol": "websocket", "endpoint": "ws://127.0.0.1:2/stream",
        "enabled": "on", "silence_s": "30.0", "reconnect_interval": "5.0",
        "max_reconnect_attempts": "10", "buffer_size": "16384",
    }  # fmt: skip
    clean = DataSource.full_clean

    def counted_meanwhile(self, *args, **options):
        DataSource.objects.update(received=8)
        return clean(self, *args, **options)

    monkeypatch.setattr(DataSource, "full_clean", counted_meanwhile)

    answer = admin_client.post(url, form)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    found = DataSource.objects.get()
    assert (found.endpoint, found.received) == ("ws://127.0.0.1:2/stream", 8)


def test_an_endpoint_with_a_password_is_refused_on_the_page(admin_client):
    answer = admin_client.post(
        reverse("admin:pipeline_datasource_add"),
        {"name": "b", "endpoint": "ws://user:hush@host/"},
    )

    assert "A URL with a user or password" in answer.content.decode()
    assert not DataSource.objects.exists()
