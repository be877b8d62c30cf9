"""Groups, which give their accounts intervals, and tags, which only find them again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.base import CONFLICT, AccountsView, Pages, Strict, actor, text
from accounts.api.records import IntervalSerializer
from accounts.forms import check_tag
from accounts.models import AccountGroup, Tag
from accounts.services import queries, records


class GroupSerializer(serializers.Serializer[AccountGroup]):
    groupId = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    intervals = IntervalSerializer(source="*")
    accounts = serializers.IntegerField(source="count", help_text="How many it has.")


class GroupChangeSerializer(Strict):
    name = text(max_length=64, required=False)
    intervals = IntervalSerializer(required=False)


class NewGroupSerializer(GroupChangeSerializer):
    name = text(max_length=64)


class TagSerializer(serializers.Serializer[Tag]):
    tagId = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    accounts = serializers.IntegerField(source="count", help_text="How many have it.")


class NewTagSerializer(Strict):
    name = serializers.CharField(max_length=64, validators=[check_tag])


GROUP = {"groupId": 2, "name": "Desk", "intervals": examples.OWN_INTERVALS, "accounts": 12}
TAG = {"tagId": 5, "name": "live", "accounts": 12}


def values(asked: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = asked.pop("intervals", {})
    return asked | given


class Groups(AccountsView):
    needs = {"POST": ("accounts.add_accountgroup",)}
    serializer_class = GroupSerializer
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[AccountGroup]:
        return queries.groups()

    @extend_schema(responses={200: GroupSerializer(many=True)}, examples=[examples.answered(GROUP)])
    def get(self, request: Request) -> Response:
        """List the groups."""
        return self.listed()

    @extend_schema(
        request=NewGroupSerializer,
        responses={201: GroupSerializer, 409: CONFLICT},
        examples=[
            examples.asked({"name": "Desk", "intervals": {"updateS": 5}}),
            examples.answered(GROUP | {"accounts": 0}, code=201),
        ],
    )
    def post(self, request: Request) -> Response:
        """Declare a group."""
        asked = self.asked(NewGroupSerializer(data=request.data))
        group = records.create(record=AccountGroup(**values(asked)), actor=actor(request))
        found = self.get_queryset().get(pk=group.pk)
        return Response(GroupSerializer(found).data, status=HTTPStatus.CREATED)


class GroupDetail(AccountsView):
    needs = {
        "PATCH": ("accounts.change_accountgroup",),
        "DELETE": ("accounts.delete_accountgroup",),
    }
    serializer_class = GroupSerializer

    def group(self) -> AccountGroup:
        return get_object_or_404(queries.groups(), pk=self.kwargs["group_id"])

    @extend_schema(examples=[examples.answered(GROUP)])
    def get(self, request: Request, group_id: int) -> Response:
        """Return one group."""
        return Response(GroupSerializer(self.group()).data)

    @extend_schema(
        request=GroupChangeSerializer,
        responses={200: GroupSerializer, 409: CONFLICT},
        examples=[examples.asked({"intervals": {"updateS": 4}}), examples.answered(GROUP)],
    )
    def patch(self, request: Request, group_id: int) -> Response:
        """Change what is given. With another interval its accounts begin anew."""
        asked = self.asked(GroupChangeSerializer(data=request.data))
        group = records.edit(record=self.group(), values=values(asked), actor=actor(request))
        return Response(GroupSerializer(group).data)

    @extend_schema(responses={204: None, 409: CONFLICT})
    def delete(self, request: Request, group_id: int) -> Response:
        """Delete a group that has no accounts."""
        records.delete(record=self.group(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)


class Tags(AccountsView):
    needs = {"POST": ("accounts.add_tag",)}
    serializer_class = TagSerializer
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Tag]:
        return queries.tags()

    @extend_schema(responses={200: TagSerializer(many=True)}, examples=[examples.answered(TAG)])
    def get(self, request: Request) -> Response:
        """List the tags."""
        return self.listed()

    @extend_schema(
        request=NewTagSerializer,
        responses={201: TagSerializer, 409: CONFLICT},
        examples=[
            examples.asked({"name": "live"}),
            examples.answered(TAG | {"accounts": 0}, code=201),
        ],
    )
    def post(self, request: Request) -> Response:
        """Make a tag before an account has it."""
        asked = self.asked(NewTagSerializer(data=request.data))
        tag = records.create(record=Tag(**asked), actor=actor(request))
        found = self.get_queryset().get(pk=tag.pk)
        return Response(TagSerializer(found).data, status=HTTPStatus.CREATED)


class TagDetail(AccountsView):
    needs = {"PATCH": ("accounts.change_tag",), "DELETE": ("accounts.delete_tag",)}
    serializer_class = TagSerializer

    def tag(self) -> Tag:
        return get_object_or_404(queries.tags(), pk=self.kwargs["tag_id"])

    @extend_schema(
        request=NewTagSerializer,
        responses={200: TagSerializer, 409: CONFLICT},
        examples=[examples.asked({"name": "live"}), examples.answered(TAG)],
    )
    def patch(self, request: Request, tag_id: int) -> Response:
        """Rename a tag."""
        asked = self.asked(NewTagSerializer(data=request.data))
        tag = records.edit(record=self.tag(), values=asked, actor=actor(request))
        return Response(TagSerializer(tag).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, tag_id: int) -> Response:
        """Take the tag off all accounts."""
        records.delete(record=self.tag(), actor=actor(request))
        return Response(status=HTTPStatus.NO_CONTENT)
