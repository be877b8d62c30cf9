"""Takes a YAML file into the records of a cluster, and writes one from them."""

from __future__ import annotations

from typing import Any

import bcrypt
import msgspec
from django.core.exceptions import ValidationError
from django.db import transaction

from streams.core import brokerfile
from streams.core.brokerfile import BrokerFile, FileUser, without_password
from streams.core.errors import BadDefinition
from streams.core.permissions import Permissions
from streams.core.serverconf import Tls
from streams.models import BrokerUser, Cluster, Node, Stream, TlsFiles
from streams.services import audit, servers

JsonObject = dict[str, Any]

# Columns whose URLs may hold a password, which no file is given.
URLS = ("nats_url", "client_urls", "cluster_routes")
BCRYPT = ("$2a$", "$2b$", "$2x$", "$2y$")
BCRYPT_LENGTH = 60
RIGHTS = Permissions.__struct_fields__
TLS_COLUMNS = Tls.__struct_fields__


class Item(msgspec.Struct, frozen=True):
    """One object of the file: `action` is created, changed or unchanged; `fields` what differs."""

    kind: str
    name: str
    action: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = f": {', '.join(self.fields)}" if self.fields else ""
        return f"{self.action:9} {self.kind} {self.name}{fields}"


class Report(msgspec.Struct, frozen=True):
    """
    What an import did, or would do.

    Attributes:
        without_password: Users who cannot log in before somebody gives them a password.
    """

    items: tuple[Item, ...]
    without_password: tuple[str, ...]
    dry_run: bool


def import_file(
    *, text: str, actor: str, cluster: str = servers.OWN_NODE, dry_run: bool = False
) -> Report:
    """
    Take what the file says into the records of a cluster; what it does not say stays.

    Users and streams that are not in it stay, too. NATS itself follows by `run_nats` and by a plan.

    Args:
        cluster: Its name; it is made, with a node of the same name, when there is none.

    Raises:
        BadDefinition: A value cannot be; `field` says where. Nothing was changed.
    """
    file = brokerfile.read(text)
    with transaction.atomic():
        importing = _Importing(file, actor, cluster)
        importing.run()
        if dry_run:
            transaction.set_rollback(True)
    return Report(tuple(importing.items), importing.without_password(), dry_run)


def export_file(*, cluster: str = servers.OWN_NODE) -> str:
    """
    Return the records of a cluster, and all declared streams, as a file without passwords.

    Raises:
        BadDefinition: There is no such cluster.
    """
    row = Cluster.objects.select_related("client_tls", "route_tls").filter(name=cluster).first()
    if row is None:
        raise BadDefinition("cluster", f"{cluster} is not declared")
    file = BrokerFile(
        settings=_settings(row),
        users=tuple(_file_user(user) for user in row.users.all()),
        tls=_file_tls(row.client_tls),
        route_tls=_file_tls(row.route_tls),
        streams={stream.name: _config(stream) for stream in Stream.objects.all()},
    )
    return brokerfile.written(file)


class _Importing:
    """One import, within its transaction."""

    def __init__(self, file: BrokerFile, actor: str, cluster: str) -> None:
        self._file = file
        self._actor = actor
        self._name = cluster
        self.items: list[Item] = []
        self._users: list[BrokerUser] = []

    def run(self) -> None:
        cluster = self._cluster()
        for user in self._file.users:
            self._user(cluster, user)
        for name, config in self._file.streams.items():
            self._stream(name, config)
        for node in Node.objects.filter(cluster=cluster):
            # Whether all of it together makes a configuration: its errors name the setting.
            servers.node_configuration(node=node)

    def without_password(self) -> tuple[str, ...]:
        return tuple(user.name for user in self._users if not user.password_hash)

    def _cluster(self) -> Cluster:
        found = Cluster.objects.filter(name=self._name).first()
        before = None if found is None else _settings(found)
        row = found or Cluster(name=self._name)
        for column, value in self._file.settings.items():
            setattr(row, column, _with_kept_password(column, value, getattr(row, column)))
        for column, tls in (("client_tls", self._file.tls), ("route_tls", self._file.route_tls)):
            if tls is not None:
                setattr(row, column, self._tls(getattr(row, column), tls, column))
        _check(row, "nats")
        row.save()
        if before is None:
            if Node.objects.filter(name=self._name).exists():
                raise BadDefinition("cluster", f"another one has a node called {self._name}")
            Node.objects.create(name=self._name, cluster=row)
        after = _settings(row)
        fields = [key for key in after if before is not None and before[key] != after[key]]
        self._note("cluster", row.name, before, after, fields)
        return row

    def _tls(self, row: TlsFiles | None, tls: Tls, column: str) -> TlsFiles:
        wanted = msgspec.structs.asdict(tls)
        if row is not None and _of(row, TLS_COLUMNS) == wanted:
            self.items.append(Item("tls", row.name, "unchanged"))
            return row
        # Not the one that is there: another cluster may use it, too.
        name = f"{self._name}-{column.replace('_tls', '')}"[:64]
        found = TlsFiles.objects.filter(name=name).first()
        before = None if found is None else _of(found, TLS_COLUMNS)
        row = found or TlsFiles(name=name)
        for key, value in wanted.items():
            setattr(row, key, value)
        _check(row, "nats.tls")
        row.save()
        fields = [key for key in wanted if before is not None and before[key] != wanted[key]]
        self._note("tls", row.name, before, wanted, fields)
        return row

    def _user(self, cluster: Cluster, user: FileUser) -> None:
        path = f"nats.users.{user.name}"
        if user.name in servers.OWN_NAMES:
            raise BadDefinition(path, "is the name of a user of Tickplane itself")
        found = BrokerUser.objects.filter(cluster=cluster, name=user.name).first()
        before = None if found is None else _shown(found)
        row = found or BrokerUser(cluster=cluster, name=user.name)
        row.role, row.enabled = user.role, user.enabled
        row.subjects, row.streams = list(user.subjects), list(user.streams)
        for right in RIGHTS:
            setattr(row, right, list(getattr(user.permissions, right)))
        has_new_password = _takes_password(row, user.password, f"{path}.password")
        _check(row, path)
        row.save()
        after = _shown(row)
        fields = [key for key in after if before is not None and before[key] != after[key]]
        fields += ["password"] * has_new_password
        self._users.append(row)
        self._note("user", f"{cluster.name}/{row.name}", before, after, fields)

    def _stream(self, name: str, config: JsonObject) -> None:
        found = Stream.objects.filter(name=name).first()
        before = None if found is None else found.given
        row = found or Stream(name=name)
        # What the file does not say of a stream stays as it was declared.
        row.config = {**(before or {}), **config}
        fields = [key for key in config if before is not None and before.get(key) != config[key]]
        _check(row, f"nats.streams.{name}")
        row.save()
        self._note("stream", name, before, row.config, fields)

    def _note(
        self, kind: str, name: str, before: JsonObject | None, after: JsonObject, fields: list[str]
    ) -> None:
        action = "created" if before is None else "changed" if fields else "unchanged"
        self.items.append(Item(kind, name, action, tuple(fields)))
        if action != "unchanged":
            audit.note(
                actor=self._actor, action="import", kind=kind, name=name, before=before,
                after=after, detail=", ".join(fields),
            )  # fmt: skip


def _settings(row: Cluster) -> JsonObject:
    """Return the columns of a cluster that a file has, without passwords."""
    names = brokerfile.columns()
    fresh = Cluster()
    found = _of(row, [n for n in names if n not in brokerfile.EXTRAS or _differs(row, fresh, n)])
    for column in URLS:
        found[column] = _bare(found[column])
    return found


def _differs(row: Cluster, fresh: Cluster, column: str) -> bool:
    return bool(getattr(row, column) != getattr(fresh, column))


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [without_password(str(each)) for each in value]
    return without_password(value)


def _with_kept_password(column: str, value: Any, kept: Any) -> Any:
    """Return the value, or the one that is kept where the two differ by a password only."""
    if column not in URLS:
        return value
    if isinstance(value, list):
        known = {without_password(str(each)): each for each in kept or ()}
        return [known.get(each, each) for each in value]
    return kept if kept and without_password(kept) == value else value


def _takes_password(row: BrokerUser, password: str, path: str) -> bool:
    """Give the row the file's password, if it has one; return whether it is another one."""
    if not password:
        return False
    if password.startswith(BCRYPT):
        if len(password) != BCRYPT_LENGTH:
            raise BadDefinition(path, "begins like a bcrypt hash and is none")
        changed = row.password_hash != password
        row.password_hash = password
        return changed
    if row.password_hash and _is_password(password, row.password_hash):
        return False
    try:
        row.password_hash = servers.hashed(password)
    except BadDefinition as e:
        raise BadDefinition(path, str(e).partition(": ")[2]) from e
    return True


def _is_password(password: str, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:
        return False


def _shown(user: BrokerUser) -> JsonObject:
    return _of(user, ["role", "enabled", "subjects", "streams", *RIGHTS])


def _of(row: Any, columns: Any) -> JsonObject:
    return {column: getattr(row, column) for column in columns}


def _file_user(row: BrokerUser) -> FileUser:
    return FileUser(
        name=row.name,
        role=row.role,
        subjects=tuple(row.subjects),
        streams=tuple(row.streams),
        permissions=Permissions(**{right: tuple(getattr(row, right)) for right in RIGHTS}),
        enabled=row.enabled,
    )


def _file_tls(row: TlsFiles | None) -> Tls | None:
    return None if row is None else Tls(**_of(row, TLS_COLUMNS))


def _config(row: Stream) -> JsonObject:
    # A key that this version does not know would not be taken back.
    return {key: value for key, value in row.given.items() if key in brokerfile.stream_keys()}


def _check(row: Any, path: str) -> None:
    """
    Raises:
        BadDefinition: The database would not take the row.
    """
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as e:
        field, reasons = next(iter(e.message_dict.items()))
        raise BadDefinition(f"{path}.{field}", reasons[0]) from e
