"""Backups of streams: made, listed, checked, brought back, deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import (
    AT,
    CONFLICT,
    Backend,
    Configuration,
    Moment,
    NewestFirst,
    StreamsView,
    Strict,
    actor,
    describes,
    line,
    text,
    texts,
)
from streams.models import Backup
from streams.services import backups

READ = {"GET": ("streams.view_backup",)}


class BackupSerializer(serializers.Serializer[Backup]):
    backupId = serializers.IntegerField(source="pk")
    stream = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    reason = serializers.CharField()
    state = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes of the file.")
    sha256 = serializers.CharField()
    messages = serializers.IntegerField()
    config = Configuration()
    lastError = serializers.CharField(source="last_error")


BACKUP = {
    "backupId": 12,
    "stream": "ORDERS",
    "at": AT,
    "actor": "operator",
    "reason": "before a change",
    "state": "done",
    "size": 524_288,
    "sha256": "9f2c41aa03be77d19f2c41aa03be77d19f2c41aa03be77d19f2c41aa03be77d1",
    "messages": 10_000,
    "config": {"subjects": ["orders.>"]},
    "lastError": "",
}


class BackupFilter(filters.FilterSet):
    stream = line()
    state = filters.MultipleChoiceFilter(choices=Backup.State.choices)
    since = Moment(field_name="at", lookup_expr="gte")


class Backups(StreamsView):
    needs = READ
    serializer_class = BackupSerializer
    pagination_class = NewestFirst
    filter_backends = [Backend]
    filterset_class = BackupFilter

    def get_queryset(self) -> QuerySet[Backup]:
        return Backup.objects.all()

    @describes(BackupSerializer(many=True), BACKUP)
    def get(self, request: Request) -> Response:
        """List the backups, newest first."""
        return self.listed()


class NewBackupSerializer(Strict):
    reason = text(max_length=200, required=False, allow_blank=True, default="")


class NewBackup(StreamsView):
    needs = {"POST": ("streams.add_backup",)}
    serializer_class = BackupSerializer

    @describes(
        BackupSerializer,
        BACKUP,
        asks=NewBackupSerializer,
        given={"reason": "before a change"},
        code=201,
        away=True,
    )
    def post(self, request: Request, stream: str) -> Response:
        """Write any stream of NATS, with its consumers, to a file. It is read, not changed."""
        asked = self.asked(NewBackupSerializer(data=request.data))
        made = backups.backup(
            stream=stream, reason=asked["reason"], actor=actor(request), now=timezone.now()
        )
        return Response(BackupSerializer(made).data, status=HTTPStatus.CREATED)


class OfBackup(StreamsView):
    def row(self) -> Backup:
        found: Backup = self.one(Backup.objects.all(), pk=self.kwargs["backup_id"])
        return found


class BackupDetail(OfBackup):
    needs = READ | {"DELETE": ("streams.delete_backup",)}
    serializer_class = BackupSerializer

    @describes(BackupSerializer, BACKUP)
    def get(self, request: Request, backup_id: int) -> Response:
        """Return one backup."""
        return Response(BackupSerializer(self.row()).data)

    @extend_schema(responses={204: None, 409: CONFLICT})
    def delete(self, request: Request, backup_id: int) -> Response:
        """Delete a backup: its file and its record."""
        backups.remove(backup=self.row(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class Verify(OfBackup):
    needs = {"POST": ("streams.view_backup",)}
    serializer_class = BackupSerializer

    @describes(BackupSerializer, BACKUP, responses={409: CONFLICT})
    def post(self, request: Request, backup_id: int) -> Response:
        """Read the file again; 409 when it is not what was written."""
        row = self.row()
        backups.verify(backup=row)
        return Response(BackupSerializer(row).data)


class RestoreSerializer(Strict):
    asName = text(max_length=255, required=False, allow_null=True, default=None)
    subjects = texts(
        required=False, allow_null=True, default=None, help_text="Of a copy under another name."
    )


class RestoredSerializer(serializers.Serializer[Any]):
    stream = serializers.CharField()
    messages = serializers.IntegerField()
    bytes = serializers.IntegerField()
    consumers = serializers.IntegerField()


class Restore(OfBackup):
    needs = {"POST": ("streams.view_backup", "streams.add_stream")}
    serializer_class = RestoredSerializer

    @describes(
        RestoredSerializer,
        {"stream": "ORDERS_COPY", "messages": 10_000, "bytes": 524_288, "consumers": 1},
        asks=RestoreSerializer,
        given={"asName": "ORDERS_COPY"},
        away=True,
    )
    def post(self, request: Request, backup_id: int) -> Response:
        """Bring a stream back, under its own name or another."""
        asked = self.asked(RestoreSerializer(data=request.data))
        restored = backups.restore(
            backup=self.row(),
            as_name=asked["asName"],
            subjects=asked["subjects"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(RestoredSerializer(restored).data)
