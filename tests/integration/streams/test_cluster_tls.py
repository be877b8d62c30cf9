"""TLS and mTLS between nodes and to clients, and certificates that are replaced."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from cryptography import x509

from streams.broker.connect import connect
from streams.core.errors import BrokerAway
from tests.integration.streams.load import Load, assert_each_once
from tests.servers.authority import Authority
from tests.servers.cluster import NatsCluster

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


@pytest.fixture
def cluster(tmp_path, authority):
    """Everybody shows a certificate: nodes to each other, clients to nodes and back."""
    found = NatsCluster(
        tmp_path / "cluster", tls=authority.issue("node"), route_tls=authority.issue("route")
    )
    try:
        found.start()
        yield found
    finally:
        found.stop()


def context(authority, shown=None):
    found = ssl.create_default_context(cafile=authority.file)
    if shown:
        found.load_cert_chain(shown.cert_file, shown.key_file)
    return found


async def served(port, using, *, greets=True):
    """
    Return the certificate that a node shows, after a handshake as NATS has it.

    Args:
        greets: To clients a node speaks before the handshake, to other nodes after it.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            if greets:
                assert (await reader.readline()).startswith(b"INFO ")
            await writer.start_tls(using, server_hostname="127.0.0.1")
            # TLS 1.3 refuses a client's certificate only after the client believes it is done.
            writer.write(b"PING\r\n")
            await reader.readexactly(1)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(found)
    finally:
        writer.transport.abort()


async def test_with_certificates_everywhere_records_are_kept(cluster, authority):
    own = authority.issue("client")
    using = context(authority, own)

    async with Load(cluster.url(scheme="tls"), tls=using) as load:
        await load.more(500)
        submitted = await load.finish()
        assert_each_once(await load.stored(), submitted)


async def test_the_url_alone_says_whom_to_trust_and_what_to_show(cluster, authority):
    own = authority.issue("client")
    url = cluster.url(scheme="tls")
    told = f"ca={authority.file}&cert={own.cert_file}&key={own.key_file}"

    client = await connect(f"{url}?{told}", name="told", patience_s=30)
    await client.flush()
    await client.close()

    with pytest.raises(BrokerAway, match="certificate"):
        await connect(f"{url}?ca={authority.file}", name="bare", patience_s=3)


@pytest.mark.parametrize(("port", "greets"), [("port", True), ("route_port", False)])
async def test_who_shows_no_certificate_or_a_strangers_is_refused(cluster, authority, port, greets):
    stranger = Authority(authority.folder / "stranger", "stranger")
    asked = getattr(cluster.nodes[0], port)

    assert await served(asked, context(authority, authority.issue("known")), greets=greets)
    for shown in (None, stranger.issue("client")):
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await served(asked, context(authority, shown), greets=greets)


async def test_a_client_refuses_a_node_that_another_authority_signed(cluster, authority):
    stranger = Authority(authority.folder / "stranger", "stranger")

    with pytest.raises(ssl.SSLCertVerificationError):
        await served(cluster.nodes[0].port, context(stranger, authority.issue("client")))


async def test_a_replaced_certificate_is_served_and_old_connections_stay(cluster, authority):
    using = context(authority, authority.issue("client"))
    client = await connect(cluster.url(scheme="tls"), name="old", patience_s=30, tls=using)
    before = {(await served(node.port, using)).serial_number for node in cluster.nodes}
    assert len(before) == 1

    authority.issue("node")
    for node in cluster.nodes:
        node.reload()

    for node in cluster.nodes:
        async with asyncio.timeout(30):
            while (await served(node.port, using)).serial_number in before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await client.flush()
    assert client.stats["reconnects"] == 0
    await client.close()
