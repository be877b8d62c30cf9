"""The operator's page of users: the admin's own, with what signing in writes left to it."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

admin.site.unregister([User, Group])


@admin.register(User)
class People(UserAdmin[User]):
    readonly_fields = ("last_login", "date_joined")
    # Plain lists: the admin's double ones name their parts in a way that screen readers ignore.
    filter_horizontal = ()


@admin.register(Group)
class Groups(GroupAdmin):
    filter_horizontal = ()
