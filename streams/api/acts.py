"""What is done to consumers and leaders while they work."""

from __future__ import annotations

from collections.abc import Callable
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
    AnyCall,
    MomentField,
    StreamsView,
    Strict,
    actor,
    body,
    describes,
    text,
)
from streams.api.messages import LARGEST
from streams.services import lag, leaders, purging

CHANGE = {"POST": ("streams.change_streamconsumer",)}
LEAD = {"POST": ("streams.change_stream",)}


def done(asks: Any = None, given: Any = None) -> Callable[[AnyCall], AnyCall]:
    """Describe a call that answers with nothing."""
    return extend_schema(
        request=asks,
        responses={204: None, 409: CONFLICT, 503: AWAY},
        examples=[] if given is None else [body(given)],
    )


class PauseSerializer(Strict):
    until = MomentField()


class PausedSerializer(serializers.Serializer[Any]):
    pausedUntil = serializers.DateTimeField()


class Pause(StreamsView):
    needs = CHANGE
    serializer_class = PausedSerializer

    @describes(
        PausedSerializer, {"pausedUntil": AT}, asks=PauseSerializer, given={"until": AT}, away=True
    )
    def post(self, request: Request, stream: str, consumer: str) -> Response:
        """Let a consumer deliver nothing until then."""
        asked = self.asked(PauseSerializer(data=request.data))
        until = lag.pause(
            stream=stream,
            consumer=consumer,
            until=asked["until"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(PausedSerializer({"pausedUntil": until}).data)


class Resume(StreamsView):
    needs = CHANGE

    @done()
    def post(self, request: Request, stream: str, consumer: str) -> Response:
        """Let a paused consumer deliver again."""
        lag.resume(stream=stream, consumer=consumer, actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class ResetSerializer(Strict):
    confirm = text(help_text="The consumer's name again.")
    seq = serializers.IntegerField(
        min_value=1, max_value=LARGEST, required=False, allow_null=True, default=None,
        help_text="The next message it gets; without it the one after its acknowledged ones.",
    )  # fmt: skip


class ConsumerPositionSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField()


class Reset(StreamsView):
    needs = CHANGE
    serializer_class = ConsumerPositionSerializer

    @describes(
        ConsumerPositionSerializer,
        {"seq": 9_000},
        asks=ResetSerializer,
        given={"confirm": "desk", "seq": 9_000},
        away=True,
    )
    def post(self, request: Request, stream: str, consumer: str) -> Response:
        """Set a consumer's position; what it has not acknowledged, or more, comes again."""
        asked = self.asked(ResetSerializer(data=request.data))
        seq = lag.reset(
            stream=stream,
            consumer=consumer,
            typed_name=asked["confirm"],
            seq=asked["seq"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response({"seq": seq})


class ConfirmSerializer(Strict):
    confirm = text(help_text="The consumer's name again.")
    skipBackup = serializers.BooleanField(
        default=False, help_text="Of a stream that would lose messages with it (interest)."
    )


class DeleteConsumer(StreamsView):
    needs = {"POST": ("streams.delete_streamconsumer",)}

    @done(ConfirmSerializer, {"confirm": "desk"})
    def post(self, request: Request, stream: str, consumer: str) -> Response:
        """Delete a consumer in NATS, and thus its position. Its record stays, as missing."""
        asked = self.asked(ConfirmSerializer(data=request.data))
        purging.delete_consumer(
            stream=stream,
            consumer=consumer,
            typed_name=asked["confirm"],
            skip_backup=asked["skipBackup"],
            actor=actor(request),
            now=timezone.now(),
        )
        return Response(status=HTTPStatus.NO_CONTENT)


class StepDownStream(StreamsView):
    needs = LEAD

    @done()
    def post(self, request: Request, stream: str) -> Response:
        """Let a stream's leader hand over to another replica."""
        leaders.step_down(stream=stream, actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class StepDownConsumer(StreamsView):
    needs = LEAD

    @done()
    def post(self, request: Request, stream: str, consumer: str) -> Response:
        """Let a consumer's leader hand over to another replica."""
        leaders.step_down_consumer(stream=stream, consumer=consumer, actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class StepDownMeta(StreamsView):
    needs = LEAD

    @done()
    def post(self, request: Request) -> Response:
        """Let the leader of the cluster itself hand over."""
        leaders.step_down_meta(actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)
