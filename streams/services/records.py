"""
Declares, edits and deletes the records of NATS for programs, by the rules of the admin's forms.

Each act is written down in the same transaction. What a rule refuses comes as Django's
ValidationError by the names of the columns; a field of a stream or consumer as `config.max_age`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError
from django.forms import ModelForm
from django.utils.translation import gettext as _

from streams.core import fields
from streams.core.errors import Conflict
from streams.core.names import check_name
from streams.forms.servers import ClusterForm, NodeForm, TlsFilesForm, UserForm, masked
from streams.models import BrokerUser, Cluster, Node, Stream, StreamConsumer, TlsFiles
from streams.services import audit, servers

JsonObject = dict[str, Any]
AnyServer = TypeVar("AnyServer", Cluster, Node, TlsFiles, BrokerUser)
AnyDeclared = TypeVar("AnyDeclared", Stream, StreamConsumer)

FORMS: Mapping[type[models.Model], type[ModelForm[Any]]] = {
    Cluster: ClusterForm,
    Node: NodeForm,
    TlsFiles: TlsFilesForm,
    BrokerUser: UserForm,
}
KINDS: Mapping[type[models.Model], str] = {
    Cluster: "cluster",
    Node: "node",
    TlsFiles: "tls",
    BrokerUser: "user",
    Stream: "stream",
    StreamConsumer: "consumer",
}
UNSEEN = frozenset({"id", "password_hash", "restart_wanted", "restart_done"})


def keep_server(*, record: AnyServer, values: Mapping[str, Any], actor: str) -> AnyServer:
    """
    Return a cluster, node, user or TLS record as it is with these values; a new one is made.

    Raises:
        ValidationError: A value cannot be.
        BadDefinition: Together they make a configuration that no server would take.
        Conflict: One of this name is there already.
    """
    with transaction.atomic():
        is_new = record.pk is None
        before = None if is_new else kept(record)
        for name, value in values.items() if is_new else ():
            setattr(record, name, value)
        if is_new:
            _refuse_second(record)
        form = _filled(record, values)
        if form.errors:
            raise ValidationError(form.errors.as_data())
        made: AnyServer = form.save(commit=False)
        # Only these: the supervisor writes the others at this moment.
        _save(made, None if is_new else list(values))
        _check_whole(made)
        after = kept(made)
        if before != after:
            _note(made, "create" if is_new else "edit", actor, before, after)
    return made


def keep_declared(*, record: AnyDeclared, values: Mapping[str, Any], actor: str) -> AnyDeclared:
    """
    Return a stream's or consumer's record as it is with these values; NATS is not changed.

    Raises:
        ValidationError: By field why it cannot be.
        Conflict: One of this name is there already.
    """
    with transaction.atomic():
        is_new = record.pk is None
        before = None if is_new else kept(record)
        for name, value in values.items():
            setattr(record, name, value)
        if is_new:
            check_name(record.name, "name")
            _refuse_second(record)
        _check_config(record)
        record.full_clean(validate_unique=False, validate_constraints=False)
        after = kept(record)
        if before != after:
            # Only these: what NATS says is written by others at this moment.
            _save(record, None if is_new else list(values))
            _note(record, "create" if is_new else "edit", actor, before, after)
    return record


def delete(*, record: models.Model, actor: str) -> None:
    """
    Delete a record; nothing in NATS goes with it.

    Raises:
        Conflict: Something still hangs on it.
    """
    with transaction.atomic():
        _refuse_needed(record)
        before, name = kept(record), full_name(record)
        try:
            record.delete()
        except ProtectedError as e:
            raise Conflict(_("%(name)s is still used") % {"name": name}) from e
        audit.note(actor=actor, action="delete", kind=KINDS[type(record)], name=name, before=before)


def full_name(record: Any) -> str:
    """Return the name under which a record is written down."""
    if isinstance(record, BrokerUser):
        return f"{record.cluster.name}/{record.name}"
    if isinstance(record, StreamConsumer):
        return f"{record.stream.name}/{record.name}"
    return str(record.name)


def kept(record: models.Model) -> JsonObject:
    """Return what an operator set; neither a password nor a login in an address."""
    return {
        field.name: _plain(getattr(record, field.name))
        for field in record._meta.concrete_fields  # noqa: SLF001  Django's public name
        if field.name not in UNSEEN and (field.editable or field.name == "name")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, models.Model):
        return str(value)
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _filled(record: models.Model, values: Mapping[str, Any]) -> ModelForm[Any]:
    """Return the admin's form as an operator would have filled it."""
    blank = FORMS[type(record)](instance=record)
    typed = {
        name: values.get(name, blank.get_initial_for_field(field, name))
        for name, field in blank.fields.items()
    }
    data = {name: blank.fields[name].prepare_value(value) for name, value in typed.items()}
    return FORMS[type(record)](data=data, instance=record)


def _check_config(record: Stream | StreamConsumer) -> None:
    if isinstance(record, Stream):
        wrong = fields.check(record.given, fields.STREAM_FIELDS)
    else:
        stream = record.stream.given
        wrong = fields.check(record.given, fields.CONSUMER_FIELDS, stream=stream)
    for own in ("name", "durable_name"):
        if record.given.get(own, record.name) != record.name:
            wrong[own] = _("is another than the record's")
    if wrong:
        raise ValidationError({f"config.{name}": [reason] for name, reason in wrong.items()})


def _check_whole(record: models.Model) -> None:
    """Raise BadDefinition where a node could not be configured any more."""
    match record:
        case Cluster():
            nodes: Iterable[Node] = record.nodes.all()
        case Node():
            nodes = [record]
        case BrokerUser():
            nodes = record.cluster.nodes.all()[:1]
        case _:
            nodes = ()
    for node in nodes:
        servers.node_configuration(node=Node.objects.select_related("cluster").get(pk=node.pk))


def _refuse_second(record: Any) -> None:
    same = type(record)._default_manager.filter(name=record.name)  # noqa: SLF001  Django's public name
    if isinstance(record, BrokerUser):
        if record.name in servers.OWN_NAMES:
            raise Conflict(_("%(name)s is a user of Tickplane itself") % {"name": record.name})
        same = same.filter(cluster=record.cluster_id)
    elif isinstance(record, StreamConsumer):
        same = same.filter(stream=record.stream_id)
    if same.exists():
        raise Conflict(_("%(name)s is there already") % {"name": full_name(record)})


def _refuse_needed(record: models.Model) -> None:
    if isinstance(record, Cluster) and record.nodes.exists():
        raise Conflict(_("cluster %(name)s still has nodes") % {"name": record})
    if not isinstance(record, Node):
        return
    if record.name == servers.OWN_NODE:
        raise Conflict(_("%(name)s is the server of this installation") % {"name": record})
    if record.enabled:
        raise Conflict(_("node %(name)s is enabled; disable it first") % {"name": record})


def _save(record: models.Model, columns: list[str] | None) -> None:
    try:
        with transaction.atomic():
            if columns is None:
                record.save(force_insert=True)
            else:
                record.save(update_fields=columns)
    except IntegrityError as e:
        # Another process was faster than our look.
        raise Conflict(_("%(name)s is there already") % {"name": full_name(record)}) from e


def _note(
    record: models.Model, action: str, actor: str, before: JsonObject | None, after: JsonObject
) -> None:
    audit.note(
        actor=actor,
        action=action,
        kind=KINDS[type(record)],
        name=full_name(record),
        before=before,
        after=after,
    )


def reasons(error: ValidationError) -> dict[str, list[str]]:
    """Return what Django found wrong, by column; empty for the record as a whole."""
    if not hasattr(error, "error_dict"):
        return {"": error.messages}
    return {"" if name == "__all__" else name: found for name, found in error.message_dict.items()}
