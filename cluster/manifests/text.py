"""Manifests as readable YAML: the same bytes for the same values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

_WIDTH = 10_000  # commands stay on one line


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, with multi-line texts as blocks and indented lists."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def yaml_text(*documents: Any) -> str:
    """Return each value as a YAML document; keys keep their order."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True))


def comment(lines: Sequence[str]) -> str:
    """Return lines as comments of YAML and of container files."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
