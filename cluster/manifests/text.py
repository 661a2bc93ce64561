"""How manifests are written: YAML that people read, the same bytes for the same values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

_WIDTH = 10_000  # commands stay on one line


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, whose longer texts are blocks and whose lists stand in from their names."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def yaml_text(*documents: Any) -> str:
    """Return values as YAML, one document each, keys in their own order."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True))


def comment(lines: Sequence[str]) -> str:
    """Return lines as comments, in YAML and in container files alike."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
