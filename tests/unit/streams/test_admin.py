from __future__ import annotations

import pytest

from streams.models import Stream

pytestmark = pytest.mark.django_db

LIST = "/admin/streams/stream/"


@pytest.fixture
def stream():
    Stream.objects.all().delete()
    return Stream.objects.create(
        name="ORDERS", config={"subjects": ["orders.>"]}, messages=12_345, bytes=3_674_065,
    )  # fmt: skip


def test_the_list_writes_numbers_for_people(admin_client, stream):
    page = admin_client.get(LIST).content.decode().replace("\xa0", " ")

    for shown in ("orders.&gt;", "12,345", "3.5 MB"):
        assert f">{shown}<" in page


def test_a_stream_keeps_its_name(admin_client, stream):
    page = admin_client.get(f"{LIST}{stream.pk}/change/").content.decode()

    assert 'name="name"' not in page
