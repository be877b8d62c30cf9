"""What is in the streams: looked at, published, and taken away with safeguards."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from streams.api.base import (
    AT,
    AWAY,
    CONFLICT,
    Configuration,
    MomentField,
    StreamsView,
    Strict,
    actor,
    describes,
    text,
)
from streams.services import audit, browsing, publishing, purging

LARGEST = 2**63 - 1
LOOK = {"GET": ("streams.view_stream",)}


def number(**arguments: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        **{"min_value": 0, "max_value": LARGEST, "required": False, "allow_null": True}
        | {"default": None}
        | arguments
    )


class MessageSerializer(serializers.Serializer[browsing.Row]):
    seq = serializers.IntegerField()
    subject = serializers.CharField()
    at = serializers.DateTimeField()
    size = serializers.IntegerField(help_text="Bytes of the payload.")
    headers = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    kind = serializers.CharField(help_text="protobuf, json, text, hex or empty")
    shown = Configuration(help_text="What was decoded, or text.")
    truncated = serializers.BooleanField()


class MessagesSerializer(serializers.Serializer[browsing.Page]):
    stream = serializers.CharField()
    firstSeq = serializers.IntegerField(source="first_seq")
    lastSeq = serializers.IntegerField(source="last_seq")
    messages = serializers.IntegerField(help_text="How many the stream holds.")
    nextSeq = serializers.IntegerField(source="next_seq", allow_null=True)
    complete = serializers.BooleanField(
        help_text="False: looking was given up; more may come from nextSeq."
    )
    rows = MessageSerializer(many=True)


class LookSerializer(Strict):
    startSeq = number(min_value=1, help_text="The first one to look at.")
    subject = text(required=False, default=None, help_text="Only these; may hold wildcards.")
    since = MomentField(required=False, default=None)
    limit = serializers.IntegerField(min_value=1, max_value=browsing.MOST, default=50)
    backwards = serializers.BooleanField(default=False)


MESSAGE = {
    "seq": 10_000,
    "subject": "market.okx.BTC-USDT.trade",
    "at": AT,
    "size": 61,
    "headers": {"Nats-Msg-Id": ["okx:BTC-USDT:trade:7"]},
    "kind": "protobuf",
    "shown": {"venue": "okx", "symbol": "BTC-USDT", "price": "61737.63"},
    "truncated": False,
}
MESSAGES = {
    "stream": "MARKET_DATA",
    "firstSeq": 1,
    "lastSeq": 10_000,
    "messages": 10_000,
    "nextSeq": 9_999,
    "complete": True,
    "rows": [MESSAGE],
}


class Messages(StreamsView):
    needs = LOOK
    serializer_class = MessagesSerializer

    @describes(
        MessagesSerializer,
        MESSAGES,
        parameters=[LookSerializer],
        away=True,
        operation_id="broker_streams_messages_list",
    )
    def get(self, request: Request, stream: str) -> Response:
        """Look at messages of any stream in NATS. No consumer is made, and none is disturbed."""
        asked = self.asked(LookSerializer(data=request.query_params.dict()))
        page = browsing.messages(
            stream=stream,
            start_seq=asked["startSeq"],
            subject=asked["subject"],
            since=asked["since"],
            limit=asked["limit"],
            backwards=asked["backwards"],
        )
        return Response(MessagesSerializer(page).data)


class DeleteSerializer(Strict):
    confirm = text(help_text="The stream's name again.")
    erase = serializers.BooleanField(default=False, help_text="Overwrite it on the disk too.")


class Message(StreamsView):
    needs = LOOK | {"DELETE": ("streams.delete_stream",)}
    serializer_class = MessageSerializer

    @describes(MessageSerializer, MESSAGE, away=True)
    def get(self, request: Request, stream: str, seq: int) -> Response:
        """Return one message."""
        return Response(MessageSerializer(browsing.message(stream=stream, seq=seq)).data)

    @extend_schema(parameters=[DeleteSerializer], responses={204: None, 409: CONFLICT, 503: AWAY})
    def delete(self, request: Request, stream: str, seq: int) -> Response:
        """Remove one message for good."""
        asked = self.asked(DeleteSerializer(data=request.query_params.dict()))
        purging.delete_message(
            stream=stream,
            seq=seq,
            typed_name=asked["confirm"],
            erase=asked["erase"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(status=HTTPStatus.NO_CONTENT)


class SubjectSerializer(serializers.Serializer[Any]):
    subject = serializers.CharField()
    messages = serializers.IntegerField()


class SubjectsSerializer(serializers.Serializer[Any]):
    subjects = SubjectSerializer(many=True)


class PatternSerializer(Strict):
    subject = text(default=browsing.ALL, help_text="Only these; may hold wildcards.")
    limit = serializers.IntegerField(min_value=1, max_value=10_000, default=1000)


class Subjects(StreamsView):
    needs = LOOK
    serializer_class = SubjectsSerializer

    @describes(
        SubjectsSerializer,
        {"subjects": [{"subject": "market.okx.BTC-USDT.trade", "messages": 9_000}]},
        parameters=[PatternSerializer],
        away=True,
    )
    def get(self, request: Request, stream: str) -> Response:
        """Say which subjects a stream holds, and how many messages of each."""
        asked = self.asked(PatternSerializer(data=request.query_params.dict()))
        found = browsing.subject_counts(
            stream=stream, pattern=asked["subject"], limit=asked["limit"]
        )
        return Response({"subjects": [{"subject": s, "messages": n} for s, n in found]})


class Anything(Configuration):
    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, str) else super().to_internal_value(data)


class PublishSerializer(Strict):
    subject = text(max_length=1024)
    message = Anything(help_text="A JSON object; or a text, which is sent as it is.")
    headers = serializers.DictField(child=text(), required=False, default=dict)
    msgId = text(
        required=False,
        allow_blank=True,
        default="",
        help_text="The same again, within the stream's duplicate window, is stored once.",
    )


class StoredSerializer(serializers.Serializer[Any]):
    stored = serializers.BooleanField(help_text="Whether a stream stored it.")
    stream = serializers.CharField()
    seq = serializers.IntegerField()
    duplicate = serializers.BooleanField()


class Publish(StreamsView):
    needs = {"POST": ("streams.change_stream",)}
    serializer_class = StoredSerializer

    @describes(
        StoredSerializer,
        {"stored": True, "stream": "MARKET_DATA", "seq": 10_001, "duplicate": False},
        asks=PublishSerializer,
        given={"subject": "market.test.X.trade", "message": {"price": 1}},
        away=True,
    )
    def post(self, request: Request) -> Response:
        """Publish one message as a test, and say whether a stream stored it."""
        asked = self.asked(PublishSerializer(data=request.data))
        subject = asked["subject"]
        found = publishing.publish(
            subject=subject,
            message=asked["message"],
            headers=asked["headers"],
            msg_id=asked["msgId"],
        )
        # Not what was in it: that may be anything.
        audit.note(
            actor=actor(request),
            action="publish",
            kind="stream",
            name=found.stream or subject,
            detail=f"{subject}: {found.seq}" if found.stream else "no stream stores it",
        )
        return Response(StoredSerializer({**asdict(found), "stored": bool(found.stream)}).data)


class PurgeSerializer(Strict):
    confirm = text(help_text="The stream's name again.")
    subject = text(required=False, allow_null=True, default=None, help_text="Only these.")
    keep = number(help_text="So many of the newest stay.")
    upToSeq = number(help_text="The last one that goes.")
    skipBackup = serializers.BooleanField(default=False)


class PurgedSerializer(serializers.Serializer[purging.Purged]):
    removed = serializers.IntegerField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    backupId = serializers.IntegerField(source="backup.pk", allow_null=True, default=None)


PURGED = {"removed": 9_000, "before": 10_000, "after": 1_000, "backupId": 12}


class Purge(StreamsView):
    needs = {"POST": ("streams.delete_stream",)}
    serializer_class = PurgedSerializer

    @describes(
        PurgedSerializer,
        PURGED,
        asks=PurgeSerializer,
        given={"confirm": "ORDERS", "keep": 1000},
        away=True,
    )
    def post(self, request: Request, stream: str) -> Response:
        """Remove messages for good, after a backup."""
        asked = self.asked(PurgeSerializer(data=request.data))
        purged = purging.purge(
            stream=stream,
            typed_name=asked["confirm"],
            subject=asked["subject"],
            keep=asked["keep"],
            up_to_seq=asked["upToSeq"],
            skip_backup=asked["skipBackup"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(PurgedSerializer(purged).data)


class DeleteStreamSerializer(Strict):
    confirm = text(help_text="The stream's name again.")
    skipBackup = serializers.BooleanField(default=False)


class DeleteStream(StreamsView):
    needs = {"POST": ("streams.delete_stream",)}
    serializer_class = PurgedSerializer

    @describes(
        PurgedSerializer,
        PURGED,
        asks=DeleteStreamSerializer,
        given={"confirm": "ORDERS"},
        away=True,
    )
    def post(self, request: Request, stream: str) -> Response:
        """Delete a stream in NATS, after a backup. Its record stays, as missing."""
        asked = self.asked(DeleteStreamSerializer(data=request.data))
        purged = purging.delete_stream(
            stream=stream,
            typed_name=asked["confirm"],
            skip_backup=asked["skipBackup"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(PurgedSerializer(purged).data)
