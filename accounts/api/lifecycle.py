"""Deploying accounts and taking them back, one or many at once."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import CONFLICT, AccountsView, Strict, actor
from accounts.core.lifecycle import PUBLISHED, Step
from accounts.models import Account
from accounts.services import lifecycle, roster

MOST_ACCOUNTS = 500
RESYNC = "resync"
ACTIONS = (Step.DEPLOY.value, Step.UNDEPLOY.value, Step.REDEPLOY.value, RESYNC)
CHANGE = ("accounts.change_account",)


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of one account. `status` is what a call about it alone would answer."""

    accountId = serializers.UUIDField()
    status = serializers.IntegerField()
    lifecycle = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_blank=True)


class OutcomesSerializer(serializers.Serializer[Any]):
    results = OutcomeSerializer(many=True)


class ActionSerializer(Strict):
    action = serializers.ChoiceField(choices=ACTIONS)
    accountIds = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MOST_ACCOUNTS
    )


ACCEPTED = {
    "accountId": examples.ACCOUNT_ID,
    "status": 202,
    "lifecycle": "DEPLOYING",
    "error": "",
}
REFUSED = {
    "accountId": examples.OTHER_ID,
    "status": 409,
    "lifecycle": "DEPLOYED",
    "error": "deploy is not possible while it is DEPLOYED",
}


class Actions(AccountsView):
    needs = {"POST": CHANGE}
    serializer_class = OutcomesSerializer

    @extend_schema(
        request=ActionSerializer,
        responses={200: OutcomesSerializer},
        examples=[
            examples.asked(
                {"action": "deploy", "accountIds": [examples.ACCOUNT_ID, examples.OTHER_ID]}
            ),
            examples.answered({"results": [ACCEPTED, REFUSED]}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Do the same to many accounts. One that refuses stops none of the others."""
        asked = self.asked(ActionSerializer(data=request.data))
        wanted = list(dict.fromkeys(asked["accountIds"]))
        return Response({"results": acted(asked["action"], wanted, actor(request))})


class Act(AccountsView):
    """One of the actions, on one account."""

    needs = {"POST": CHANGE}
    serializer_class = OutcomeSerializer
    action = ""

    @extend_schema(
        request=None,
        responses={202: OutcomeSerializer, 409: CONFLICT},
        examples=[examples.answered(ACCEPTED, code=202)],
    )
    def post(self, request: Request, account_id: UUID) -> Response:
        self.account()
        outcome = acted(self.action, [account_id], actor(request))[0]
        if outcome["error"]:
            return Response({"error": outcome["error"]}, status=outcome["status"])
        return Response(outcome, status=HTTPStatus.ACCEPTED)


@extend_schema_view(post=extend_schema(description="Let the account be published."))
class Deploy(Act):
    action = Step.DEPLOY.value


@extend_schema_view(post=extend_schema(description="Publish nothing of the account any more."))
class Undeploy(Act):
    action = Step.UNDEPLOY.value


@extend_schema_view(post=extend_schema(description="Let the account begin anew."))
class Redeploy(Act):
    action = Step.REDEPLOY.value


@extend_schema_view(
    post=extend_schema(
        description="Send a snapshot, in a new epoch: for consumers that met a gap in `seq`."
    )
)
class Resync(Act):
    action = RESYNC


def acted(action: str, wanted: list[UUID], who: str) -> list[Mapping[str, Any]]:
    """Return what became of each of these accounts, in their order."""
    accounts = Account.objects.filter(uuid__in=wanted)
    refused = _resync(accounts, who) if action == RESYNC else _step(accounts, Step(action), who)
    found = {
        account.uuid: account for account in accounts.only("uuid", "server", "login", "lifecycle")
    }
    return [_outcome(uuid, found.get(uuid), refused) for uuid in wanted]


def _step(accounts: QuerySet[Account], step: Step, who: str) -> Mapping[str, str]:
    moves = lifecycle.request(accounts=accounts, step=step, actor=who)
    return {refusal.account: refusal.reason for refusal in moves.refused}


def _resync(accounts: QuerySet[Account], who: str) -> Mapping[str, str]:
    reason = _("there is nothing to send again while it is %(lifecycle)s")
    refused = {
        str(account): reason % {"lifecycle": account.lifecycle}
        for account in accounts.exclude(lifecycle__in=PUBLISHED).only(
            "server", "login", "lifecycle"
        )
    }
    roster.request_snapshots(accounts=accounts, actor=who)
    return refused


def _outcome(uuid: UUID, account: Account | None, refused: Mapping[str, str]) -> Mapping[str, Any]:
    if account is None:
        status, error = HTTPStatus.NOT_FOUND, _("there is no such account")
    elif str(account) in refused:
        status, error = HTTPStatus.CONFLICT, refused[str(account)]
    else:
        status, error = HTTPStatus.ACCEPTED, ""
    return {
        "accountId": uuid,
        "status": status.value,
        "lifecycle": account and account.lifecycle,
        "error": error,
    }
