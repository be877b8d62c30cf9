"""
Where terminals push: one account, or many at once, by an account token.

Plain Django and not the REST framework, because it is called a hundred times as often as all the
rest together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.core import mt5
from accounts.core.errors import BadState
from accounts.core.mt5 import Push
from accounts.services import intake
from accounts.services.ingest import Answer, Delivery, Refused

logger = logging.getLogger(__name__)

Answering = Callable[..., Coroutine[Any, Any, HttpResponse]]

# A terminal waits no longer. What has begun to be taken in stays taken in; what has not is dropped:
# by then the terminal has something newer to say.
WAIT_S = 10.0
RETRY_S = 1

STATUS: Mapping[Refused, HTTPStatus] = {
    Refused.UNKNOWN_TOKEN: HTTPStatus.UNAUTHORIZED,
    Refused.NOT_COVERED: HTTPStatus.FORBIDDEN,
    Refused.BAD_STATE: HTTPStatus.BAD_REQUEST,
    Refused.ANOTHER_ACCOUNT: HTTPStatus.CONFLICT,
    Refused.NOT_PUSHED: HTTPStatus.CONFLICT,
    Refused.FAILED: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class CannotTake(Exception):
    """The whole request is refused."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def refusing(view: Answering) -> Answering:
    """Let the view be asked by POST only, and raise CannotTake."""

    @wraps(view)
    async def answered(request: HttpRequest, **named: Any) -> HttpResponse:
        if request.method != "POST":
            response = _refused(HTTPStatus.METHOD_NOT_ALLOWED, "a state is pushed by POST")
            response["Allow"] = "POST"
            return response
        try:
            return await view(request, **named)
        except CannotTake as e:
            return _refused(e.status, str(e))

    return answered


# No cookie counts here, so no other site can make use of one.
@csrf_exempt
@refusing
async def state(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Take in the state of one account: POST /api/v1/accounts/{accountId}/state"""
    secret, body = _secret(request), _body(request)
    [answer] = await _answers([Delivery(secret, account_id, _push(body))])
    if answer.refused:
        return _refused(STATUS[answer.refused], answer.reason)
    return _json(HTTPStatus.OK, _told(answer))


@csrf_exempt
@refusing
async def states(request: HttpRequest) -> HttpResponse:
    """Take in the states of many accounts: POST /api/v1/accounts/states"""
    secret, body = _secret(request), _body(request)
    try:
        # A megabyte takes a while to read; other requests go on meanwhile.
        pushes = await asyncio.to_thread(mt5.pushes, body)
    except BadState as e:
        raise CannotTake(HTTPStatus.BAD_REQUEST, str(e)) from e
    # Of nothing at all, the token is looked at all the same.
    asked = pushes or [("", BadState("nothing was pushed"))]
    answers = await _answers([_delivery(secret, name, said) for name, said in asked])
    if all(answer.refused == Refused.UNKNOWN_TOKEN for answer in answers):
        return _refused(HTTPStatus.UNAUTHORIZED, answers[0].reason)
    told = [
        _told(answer) | {"accountId": name}
        for answer, (name, _) in zip(answers, pushes, strict=False)
    ]
    return _json(HTTPStatus.OK, {"accounts": told})


async def _answers(deliveries: Sequence[Delivery]) -> list[Answer]:
    try:
        future = intake.ours().submit(deliveries)
        return await asyncio.wait_for(asyncio.wrap_future(future), WAIT_S)
    except intake.Full:
        raise CannotTake(HTTPStatus.SERVICE_UNAVAILABLE, "too many pushes are waiting") from None
    except TimeoutError:
        raise CannotTake(HTTPStatus.SERVICE_UNAVAILABLE, "the database is too slow") from None
    except DatabaseFailure:
        # Logged by the intake.
        raise CannotTake(HTTPStatus.SERVICE_UNAVAILABLE, "the database is away") from None


def _push(body: bytes) -> Push | BadState:
    try:
        return mt5.push(body)
    except BadState as e:
        return e


def _delivery(secret: str, name: str, said: Push | BadState) -> Delivery:
    try:
        return Delivery(secret, UUID(name), said)
    except ValueError:
        return Delivery(secret, None, said)


def _secret(request: HttpRequest) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise CannotTake(HTTPStatus.UNAUTHORIZED, "Authorization: Bearer with an account token")
    return secret.strip()


def _body(request: HttpRequest) -> bytes:
    if request.content_type != "application/json":
        raise CannotTake(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CannotTake(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported")
    body = request.read(mt5.MOST_BYTES + 1)
    if len(body) > mt5.MOST_BYTES:
        raise CannotTake(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {mt5.MOST_BYTES} bytes"
        )
    return body


def _told(answer: Answer) -> dict[str, Any]:
    if answer.refused:
        return {
            "accountId": answer.account_id,
            "error": answer.reason,
            "code": answer.refused.value,
        }
    return {
        "accountId": answer.account_id,
        "deployed": answer.deployed,
        "events": answer.events,
    }


def _refused(status: HTTPStatus, reason: str) -> HttpResponse:
    response = _json(status, {"error": reason})
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="account"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_S)
    return response


def _json(status: HTTPStatus, body: Mapping[str, Any]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")
