from __future__ import annotations

from django.urls import path

from streams.api import (
    acts,
    backups,
    contract,
    declared,
    files,
    messages,
    monitoring,
    servers,
    templates,
    trail,
)

ALL = "api/v1/broker"
STREAM = f"{ALL}/streams/<str:stream>"
CONSUMER = f"{STREAM}/consumers/<str:consumer>"
BACKUP = f"{ALL}/backups/<int:backup_id>"
USER = f"{ALL}/users/<int:user_id>"

urlpatterns = [
    path("health", contract.Health.as_view(), name="health"),
    path("api/v1/streams", contract.Streams.as_view(), name="streams"),
    path("api/v1/publish", contract.Publish.as_view(), name="publish"),
    path("api/v1/nats/info", contract.NatsInfo.as_view(), name="nats-info"),
    *(
        path(f"api/v1/nats/monitor/{endpoint}", view, name=f"nats-monitor-{endpoint}")
        for endpoint, view in monitoring.views().items()
    ),
    path(f"{ALL}/clusters", servers.Clusters.as_view(), name="broker-clusters"),
    path(f"{ALL}/clusters/<str:name>", servers.ClusterDetail.as_view(), name="broker-cluster"),
    path(f"{ALL}/nodes", servers.Nodes.as_view(), name="broker-nodes"),
    path(f"{ALL}/nodes/<str:name>", servers.NodeDetail.as_view(), name="broker-node"),
    path(f"{ALL}/nodes/<str:name>/restart", servers.Restart.as_view(), name="broker-restart"),
    path(f"{ALL}/users", servers.Users.as_view(), name="broker-users"),
    path(USER, servers.UserDetail.as_view(), name="broker-user"),
    path(f"{USER}/rotate", servers.Rotate.as_view(), name="broker-rotate"),
    path(f"{ALL}/tls", servers.AllTls.as_view(), name="broker-tls-files"),
    path(f"{ALL}/tls/<str:name>", servers.TlsDetail.as_view(), name="broker-tls"),
    path(f"{ALL}/streams", declared.Streams.as_view(), name="broker-streams"),
    path(STREAM, declared.StreamDetail.as_view(), name="broker-stream"),
    path(f"{STREAM}/consumers", declared.Consumers.as_view(), name="broker-consumers"),
    path(CONSUMER, declared.ConsumerDetail.as_view(), name="broker-consumer"),
    path(f"{ALL}/plan", declared.Plan.as_view(), name="broker-plan"),
    path(f"{ALL}/apply", declared.Apply.as_view(), name="broker-apply"),
    path(f"{ALL}/import", declared.Import.as_view(), name="broker-import"),
    path(f"{ALL}/file", files.Export.as_view(), name="broker-export"),
    path(f"{ALL}/file/import", files.Take.as_view(), name="broker-file-import"),
    path(f"{ALL}/publish", messages.Publish.as_view(), name="broker-publish"),
    path(f"{STREAM}/messages", messages.Messages.as_view(), name="broker-messages"),
    path(f"{STREAM}/messages/<int:seq>", messages.Message.as_view(), name="broker-message"),
    path(f"{STREAM}/subjects", messages.Subjects.as_view(), name="broker-subjects"),
    path(f"{STREAM}/purge", messages.Purge.as_view(), name="broker-purge"),
    path(f"{STREAM}/delete", messages.DeleteStream.as_view(), name="broker-delete"),
    path(f"{STREAM}/backup", backups.NewBackup.as_view(), name="broker-new-backup"),
    path(f"{STREAM}/step-down", acts.StepDownStream.as_view(), name="broker-step-down"),
    path(f"{CONSUMER}/pause", acts.Pause.as_view(), name="broker-pause"),
    path(f"{CONSUMER}/resume", acts.Resume.as_view(), name="broker-resume"),
    path(f"{CONSUMER}/reset", acts.Reset.as_view(), name="broker-reset"),
    path(f"{CONSUMER}/delete", acts.DeleteConsumer.as_view(), name="broker-delete-consumer"),
    path(
        f"{CONSUMER}/step-down",
        acts.StepDownConsumer.as_view(),
        name="broker-step-down-consumer",
    ),
    path(f"{ALL}/step-down", acts.StepDownMeta.as_view(), name="broker-step-down-meta"),
    path(f"{ALL}/backups", backups.Backups.as_view(), name="broker-backups"),
    path(BACKUP, backups.BackupDetail.as_view(), name="broker-backup"),
    path(f"{BACKUP}/verify", backups.Verify.as_view(), name="broker-verify"),
    path(f"{BACKUP}/restore", backups.Restore.as_view(), name="broker-restore"),
    path(f"{ALL}/audit", trail.Audit.as_view(), name="broker-audit"),
    path(f"{ALL}/advisories", trail.Advisories.as_view(), name="broker-advisories"),
    path(f"{ALL}/templates", templates.Templates.as_view(), name="broker-templates"),
    path(f"{ALL}/templates/<str:data_type>", templates.Template.as_view(), name="broker-template"),
]
