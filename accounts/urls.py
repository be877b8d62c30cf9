from __future__ import annotations

from django.urls import path

from accounts.api import (
    audit,
    events,
    groups,
    history,
    ingest,
    lifecycle,
    publisher,
    records,
    rules,
    tables,
    tokens,
)

ALL = "api/v1/accounts"
ONE = f"{ALL}/<uuid:account_id>"
GROUP = f"{ALL}/groups/<int:group_id>"

urlpatterns = [
    path(ALL, records.Accounts.as_view(), name="accounts-list"),
    path(f"{ALL}/actions", lifecycle.Actions.as_view(), name="accounts-actions"),
    path(f"{ALL}/import", tables.Import.as_view(), name="accounts-import"),
    path(f"{ALL}/export", tables.Export.as_view(), name="accounts-export"),
    path(f"{ALL}/groups", groups.Groups.as_view(), name="account-groups"),
    path(GROUP, groups.GroupDetail.as_view(), name="account-group"),
    path(f"{GROUP}/tokens", tokens.GroupTokens.as_view(), name="account-group-tokens"),
    path(
        f"{GROUP}/tokens/<str:prefix>",
        tokens.GroupTokenDetail.as_view(),
        name="account-group-token",
    ),
    path(f"{ALL}/tags", groups.Tags.as_view(), name="account-tags"),
    path(f"{ALL}/tags/<int:tag_id>", groups.TagDetail.as_view(), name="account-tag"),
    path(f"{ALL}/rules", rules.Rules.as_view(), name="account-rules"),
    path(f"{ALL}/rules/<int:rule_id>", rules.RuleDetail.as_view(), name="account-rule"),
    path(f"{ALL}/audit", audit.Audit.as_view(), name="account-audit"),
    path(f"{ALL}/dead-letters", events.DeadLetters.as_view(), name="account-dead-letters"),
    path(f"{ALL}/dead-letters/replay", events.Replay.as_view(), name="account-replay"),
    path(f"{ALL}/publisher", publisher.Publisher.as_view(), name="account-publisher"),
    path(f"{ALL}/states", ingest.states, name="account-states"),
    path(ONE, records.AccountDetail.as_view(), name="accounts-detail"),
    path(f"{ONE}/deploy", lifecycle.Deploy.as_view(), name="account-deploy"),
    path(f"{ONE}/undeploy", lifecycle.Undeploy.as_view(), name="account-undeploy"),
    path(f"{ONE}/redeploy", lifecycle.Redeploy.as_view(), name="account-redeploy"),
    path(f"{ONE}/resync", lifecycle.Resync.as_view(), name="account-resync"),
    path(f"{ONE}/state", ingest.state, name="account-state"),
    path(f"{ONE}/tokens", tokens.AccountTokens.as_view(), name="account-tokens"),
    path(f"{ONE}/tokens/<str:prefix>", tokens.AccountTokenDetail.as_view(), name="account-token"),
    path(f"{ONE}/events", events.Events.as_view(), name="account-events"),
    path(f"{ONE}/history", history.History.as_view(), name="account-history"),
]
