"""YAML files that operators write and are given: read with care, written to be read again."""

from __future__ import annotations

from typing import Any

import yaml

from streams.core.errors import BadDefinition

MOST_CHARACTERS = 1_000_000


def loaded(text: str) -> Any:
    """
    Return what the file says, in plain values.

    Raises:
        BadDefinition: It is no YAML, or more than a settings file needs; `field` is where.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadDefinition("file", f"has more than {MOST_CHARACTERS} characters")
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f"line {mark.line + 1}" if mark else "file"
        raise BadDefinition(where, f"is no YAML: {e.problem or e.context}") from e
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as e:
        raise BadDefinition("file", "is no YAML that can be read") from e
    except RecursionError as e:
        raise BadDefinition("file", "is nested too deeply") from e


def written(whole: Any) -> str:
    """Return plain values as a file, in their order."""
    return yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Refuses what a settings file does not need: a key that is there twice, and references."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise BadDefinition(_at(self), "references (*name) are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  its own
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise BadDefinition(f"line {node.start_mark.line + 1}", f"{key!r} is there twice")
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # The reader refuses them.


def _at(loader: Any) -> str:
    return f"line {loader.peek_event().start_mark.line + 1}"
