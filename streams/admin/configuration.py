"""A node's configuration as it will be written, without what would let somebody log in."""

from __future__ import annotations

import msgspec

from streams.core import serverconf
from streams.forms.servers import masked as without_login
from streams.models import Node
from streams.services import servers

HIDDEN = "…"


def masked(node: Node) -> str:
    """
    Return the text with every password and hash replaced.

    Raises:
        BadDefinition: A setting cannot be understood; its field is named.
    """
    whole = servers.node_configuration(node=node)
    routes = whole.routes and msgspec.structs.replace(
        whole.routes,
        password=HIDDEN if whole.routes.password else "",
        urls=tuple(map(without_login, whole.routes.urls)),
    )
    users = tuple(msgspec.structs.replace(user, password_hash=HIDDEN) for user in whole.users)
    return serverconf.render(
        msgspec.structs.replace(whole, users=users, system_hash=HIDDEN, routes=routes)
    )
