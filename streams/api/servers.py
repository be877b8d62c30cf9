"""The records of servers: clusters, nodes, users and certificates."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import (
    AT,
    Backend,
    Pages,
    StreamsView,
    Strict,
    Whether,
    actor,
    describes,
    describes_all,
    describes_one,
    line,
    no_store,
    rights,
    text,
    texts,
)
from streams.forms.servers import masked
from streams.models import BrokerUser, Cluster, Node, TlsFiles
from streams.services import records, servers

# So many seconds are ten days; a handshake takes less.
LONGEST_S = 864_000


def port(source: str, **arguments: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        source=source, required=False, min_value=1, max_value=65_535, **arguments
    )


def count(source: str) -> serializers.IntegerField:
    return serializers.IntegerField(source=source, required=False, min_value=0, max_value=2**31 - 1)


def written(source: str, **arguments: Any) -> serializers.CharField:
    """Return a field for a size or a span of time, kept as it is written."""
    return text(source=source, required=False, max_length=32, **arguments)


class Masked(serializers.ListField):
    """Addresses, shown without the logins that they may have been kept with."""

    def to_representation(self, data: Any) -> list[str]:
        return [masked(str(each)) for each in data]


class Named(serializers.SlugRelatedField[Any]):
    """Another record, by its name."""

    def to_internal_value(self, data: Any) -> Any:
        # PostgreSQL takes no zero byte, and compares no number with a name.
        if not isinstance(data, str) or not data.isprintable():
            self.fail("invalid")
        return super().to_internal_value(data)


def tls(source: str) -> Named:
    return Named(
        slug_field="name",
        source=source,
        queryset=TlsFiles.objects.all(),
        required=False,
        allow_null=True,
    )


class ClusterChangeSerializer(Strict):
    """What all nodes share. Sizes and spans are written as in the file: "1GB", "2m"."""

    servicePort = port("service_port")
    autoStartNats = serializers.BooleanField(source="auto_start_nats", required=False)
    autoCreateStreams = serializers.BooleanField(source="auto_create_streams", required=False)
    host = text(required=False, max_length=255)
    natsPort = port("nats_port")
    httpPort = port("http_port")
    clusterHost = text(source="cluster_host", required=False, max_length=255)
    clusterPort = port("cluster_port")
    clusterName = text(source="cluster_name", required=False, allow_blank=True, max_length=64)
    clusterRoutes = Masked(source="cluster_routes", child=text(), required=False, max_length=64)
    natsUrl = text(source="nats_url", required=False, allow_blank=True)
    clientUrls = Masked(source="client_urls", child=text(), required=False, max_length=64)
    dataDir = text(source="data_dir", required=False, allow_blank=True)
    jetstreamEnabled = serializers.BooleanField(source="jetstream_enabled", required=False)
    jetstreamMaxMemory = written("jetstream_max_memory")
    jetstreamMaxStorage = written("jetstream_max_storage")
    jetstreamMaxStreams = count("jetstream_max_streams")
    jetstreamMaxConsumers = count("jetstream_max_consumers")
    syncInterval = written("sync_interval")
    maxConnections = count("max_connections")
    maxSubscriptions = count("max_subscriptions")
    maxPayload = written("max_payload")
    writeDeadline = written("write_deadline")
    pingInterval = written("ping_interval")
    maxPingsOut = count("max_pings_out")
    lameDuckDuration = written("lame_duck_duration")
    clientTls = tls("client_tls")
    routeTls = tls("route_tls")

    def to_representation(self, instance: Any) -> Any:
        shown = super().to_representation(instance)
        return shown | {"natsUrl": masked(shown["natsUrl"])} if "natsUrl" in shown else shown


class ClusterSerializer(ClusterChangeSerializer):
    name = text(max_length=64)


class NodeChangeSerializer(Strict):
    """What is null or empty comes from the cluster."""

    enabled = serializers.BooleanField(required=False)
    address = text(required=False, max_length=255)
    natsPort = port("nats_port", allow_null=True)
    httpPort = port("http_port", allow_null=True)
    clusterPort = port("cluster_port", allow_null=True)
    dataDir = text(source="data_dir", required=False, allow_blank=True)
    clientTls = tls("client_tls")
    routeTls = tls("route_tls")


class NewNodeSerializer(NodeChangeSerializer):
    name = text(max_length=64)
    cluster = Named(slug_field="name", queryset=Cluster.objects.all())


class NodeSerializer(NewNodeSerializer):
    """The node and, below, what its supervisor says of it."""

    state = serializers.CharField(read_only=True)
    since = serializers.DateTimeField(read_only=True, allow_null=True)
    reason = serializers.CharField(read_only=True)
    pid = serializers.IntegerField(read_only=True, allow_null=True)
    version = serializers.CharField(read_only=True)
    restarts = serializers.IntegerField(read_only=True)
    inSync = serializers.SerializerMethodField(help_text="It runs what is declared.")
    awaitsRestart = serializers.ListField(
        source="awaits_restart", child=serializers.CharField(), read_only=True
    )
    certificateEndsAt = serializers.DateTimeField(
        source="certificate_ends_at", read_only=True, allow_null=True
    )
    seenAt = serializers.DateTimeField(source="seen_at", read_only=True, allow_null=True)

    def get_inSync(self, node: Node) -> bool:  # noqa: N802  the API's name
        return bool(node.digest) and node.digest == node.wanted_digest


class UserChangeSerializer(Strict):
    role = serializers.ChoiceField(choices=BrokerUser.Role.choices, required=False)
    enabled = serializers.BooleanField(required=False)
    subjects = texts(required=False)
    streams = texts(required=False)
    publishAllow = texts(source="publish_allow", required=False)
    publishDeny = texts(source="publish_deny", required=False)
    subscribeAllow = texts(source="subscribe_allow", required=False)
    subscribeDeny = texts(source="subscribe_deny", required=False)


class NewUserSerializer(UserChangeSerializer):
    name = text(max_length=64)
    cluster = Named(slug_field="name", queryset=Cluster.objects.all())


class UserSerializer(NewUserSerializer):
    """A user. Neither the password nor its hash is ever in it."""

    userId = serializers.IntegerField(source="pk", read_only=True)
    hasPassword = serializers.SerializerMethodField()

    def get_hasPassword(self, user: BrokerUser) -> bool:  # noqa: N802  the API's name
        return user.password_hash != ""


class MadeUserSerializer(UserSerializer):
    password = serializers.CharField(help_text="It is never shown again.", read_only=True)


class TlsChangeSerializer(Strict):
    certFile = text(source="cert_file", required=False)
    keyFile = text(source="key_file", required=False)
    caFile = text(source="ca_file", required=False, allow_blank=True)
    verify = serializers.BooleanField(required=False)
    timeoutS = serializers.FloatField(
        source="timeout_s", required=False, min_value=0.1, max_value=LONGEST_S
    )


class TlsSerializer(TlsChangeSerializer):
    """Paths on the servers; the files themselves are not kept here."""

    name = text(max_length=64)
    certFile = text(source="cert_file")
    keyFile = text(source="key_file")


CLUSTER = {
    "name": "tickplane",
    "servicePort": 8085,
    "autoStartNats": True,
    "autoCreateStreams": True,
    "host": "127.0.0.1",
    "natsPort": 4222,
    "httpPort": 8222,
    "clusterHost": "0.0.0.0",  # noqa: S104  the contract's
    "clusterPort": 6222,
    "clusterName": "",
    "clusterRoutes": [],
    "natsUrl": "",
    "clientUrls": [],
    "dataDir": "",
    "jetstreamEnabled": True,
    "jetstreamMaxMemory": "1GB",
    "jetstreamMaxStorage": "10GB",
    "jetstreamMaxStreams": 100,
    "jetstreamMaxConsumers": 1000,
    "syncInterval": "2m",
    "maxConnections": 1000,
    "maxSubscriptions": 1000,
    "maxPayload": "1MB",
    "writeDeadline": "2s",
    "pingInterval": "2m",
    "maxPingsOut": 2,
    "lameDuckDuration": "30s",
    "clientTls": None,
    "routeTls": None,
}
NODE = {
    "name": "n1",
    "cluster": "tickplane",
    "enabled": True,
    "address": "127.0.0.1",
    "natsPort": None,
    "httpPort": None,
    "clusterPort": None,
    "dataDir": "",
    "clientTls": None,
    "routeTls": None,
    "state": "running",
    "since": AT,
    "reason": "",
    "pid": 4711,
    "version": "2.15.1",
    "restarts": 0,
    "inSync": True,
    "awaitsRestart": [],
    "certificateEndsAt": None,
    "seenAt": AT,
}
USER = {
    "userId": 3,
    "name": "producer",
    "cluster": "tickplane",
    "role": "producer",
    "enabled": True,
    "subjects": ["market.>"],
    "streams": [],
    "publishAllow": [],
    "publishDeny": [],
    "subscribeAllow": [],
    "subscribeDeny": [],
    "hasPassword": True,
}
TLS = {
    "name": "desk",
    "certFile": "/etc/nats/server.pem",
    "keyFile": "/etc/nats/server.key",
    "caFile": "/etc/nats/ca.pem",
    "verify": True,
    "timeoutS": 3.0,
}
NEW_USER = {
    "name": "producer", "cluster": "tickplane", "role": "producer", "subjects": ["market.>"],
}  # fmt: skip
MADE_USER = USER | {"password": "shown once"}


class Servers(StreamsView):
    """The records of one kind. `new` is what a body may hold."""

    pagination_class = Pages
    filter_backends = [Backend]
    model: type[Any]
    new: type[Strict]

    def get_queryset(self) -> QuerySet[Any]:
        found: QuerySet[Any] = self.model.objects.all()
        return found

    def get(self, request: Request) -> Response:
        return self.listed()

    def post(self, request: Request) -> Response:
        asked = self.asked(self.new(data=request.data))
        made = records.keep_server(record=self.model(), values=asked, actor=actor(request))
        return Response(self.get_serializer(made).data, status=HTTPStatus.CREATED)


class Server(StreamsView):
    """One record, by its name. `change` is what a body may hold."""

    model: type[Any]
    change: type[Strict]

    def row(self) -> Any:
        return self.one(self.model.objects.all(), name=self.kwargs["name"])

    def get(self, request: Request, **named: Any) -> Response:
        return Response(self.get_serializer(self.row()).data)

    def patch(self, request: Request, **named: Any) -> Response:
        asked = self.asked(self.change(data=request.data))
        row = records.keep_server(record=self.row(), values=asked, actor=actor(request))
        return Response(self.get_serializer(row).data)

    def delete(self, request: Request, **named: Any) -> Response:
        records.delete(record=self.row(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


@describes_all("the clusters", ClusterSerializer, CLUSTER, ClusterSerializer, {"name": "desk"})
class Clusters(Servers):
    needs = rights("cluster")
    serializer_class = ClusterSerializer
    model, new = Cluster, ClusterSerializer


@describes_one(
    "the clusters", ClusterSerializer, CLUSTER, ClusterChangeSerializer, {"maxPayload": "2MB"}
)
class ClusterDetail(Server):
    needs = rights("cluster")
    serializer_class = ClusterSerializer
    model, change = Cluster, ClusterChangeSerializer


class NodeFilter(filters.FilterSet):
    cluster = line(field_name="cluster__name")
    state = filters.MultipleChoiceFilter(choices=Node.State.choices)
    enabled = Whether()


@describes_all(
    "the nodes", NodeSerializer, NODE, NewNodeSerializer, {"name": "n1", "cluster": "tickplane"}
)
class Nodes(Servers):
    needs = rights("node")
    serializer_class = NodeSerializer
    filterset_class = NodeFilter
    model, new = Node, NewNodeSerializer

    def get_queryset(self) -> QuerySet[Node]:
        return Node.objects.select_related("cluster", "client_tls", "route_tls")


@describes_one("the nodes", NodeSerializer, NODE, NodeChangeSerializer, {"enabled": False})
class NodeDetail(Server):
    needs = rights("node")
    serializer_class = NodeSerializer
    model, change = Node, NodeChangeSerializer


class Restart(StreamsView):
    needs = {"POST": ("streams.change_node",)}
    serializer_class = NodeSerializer

    @describes(NodeSerializer, NODE, code=202)
    def post(self, request: Request, name: str) -> Response:
        """Let the node's supervisor restart it, with what waits for a restart."""
        node = self.one(Node.objects.all(), name=name)
        servers.request_restart(node=node, actor=actor(request))
        return Response(NodeSerializer(node).data, status=HTTPStatus.ACCEPTED)


@describes_all("the TLS files", TlsSerializer, TLS, TlsSerializer, TLS)
class AllTls(Servers):
    needs = rights("tlsfiles")
    serializer_class = TlsSerializer
    model, new = TlsFiles, TlsSerializer


@describes_one("the TLS files", TlsSerializer, TLS, TlsChangeSerializer, {"verify": False})
class TlsDetail(Server):
    needs = rights("tlsfiles")
    serializer_class = TlsSerializer
    model, change = TlsFiles, TlsChangeSerializer


class UserFilter(filters.FilterSet):
    cluster = line(field_name="cluster__name")
    role = filters.MultipleChoiceFilter(choices=BrokerUser.Role.choices)
    enabled = Whether()


class Users(StreamsView):
    needs = rights("brokeruser")
    serializer_class = UserSerializer
    pagination_class = Pages
    filter_backends = [Backend]
    filterset_class = UserFilter

    def get_queryset(self) -> QuerySet[BrokerUser]:
        return BrokerUser.objects.select_related("cluster")

    @describes(UserSerializer(many=True), USER)
    def get(self, request: Request) -> Response:
        """List the users of NATS."""
        return self.listed()

    @describes(MadeUserSerializer, MADE_USER, asks=NewUserSerializer, given=NEW_USER, code=201)
    def post(self, request: Request) -> Response:
        """Add a user with a random password, which this answer tells once."""
        asked = self.asked(NewUserSerializer(data=request.data))
        user = records.keep_server(record=BrokerUser(), values=asked, actor=actor(request))
        return _told(user, request, HTTPStatus.CREATED)


@describes_one(
    "the users of NATS", UserSerializer, USER, UserChangeSerializer, {"subjects": ["market.okx.>"]}
)
class UserDetail(Server):
    needs = rights("brokeruser")
    serializer_class = UserSerializer
    model, change = BrokerUser, UserChangeSerializer

    def row(self) -> Any:
        return self.one(BrokerUser.objects.all(), pk=self.kwargs["user_id"])


class Rotate(StreamsView):
    needs = {"POST": ("streams.change_brokeruser",)}
    serializer_class = MadeUserSerializer

    @describes(MadeUserSerializer, MADE_USER)
    def post(self, request: Request, user_id: int) -> Response:
        """Give the user a new random password, which this answer tells once."""
        user = self.one(BrokerUser.objects.all(), pk=user_id)
        return _told(user, request, HTTPStatus.OK)


def _told(user: BrokerUser, request: Request, code: HTTPStatus) -> Response:
    password = servers.new_password(user=user, actor=actor(request))
    return no_store(Response({**UserSerializer(user).data, "password": password}, status=code))
