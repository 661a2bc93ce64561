"""What a command's result can be used for, and how: the last lines of ``train``, the first of ``serve``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from configs.values import Kind
from training.run.kind_result import KindResult


def next_steps(results: Sequence[KindResult], option: str = "", champions: Collection[str] = ()) -> list[str]:
    """Return what to do next; ``option`` is the ``--store`` to add to each command, or empty.

    ``champions`` are the kinds of the store that have one, of this run or of earlier ones. A version that was not
    promoted is not what ``predict`` and ``serve`` use, which would go unnoticed.
    """
    usual = f"next: fleetcast predict{option}, fleetcast serve{option}"
    left = [result for result in results if result.version and result.version != result.champion]
    if not left:
        return [usual]
    verb = "was" if len(left) == 1 else "were"
    lines = [f"{' and '.join(result.kind for result in left)} {verb} not promoted (the reasons are above)"]
    if former := ", ".join(f"{one.kind} {one.champion}" for one in left if one.champion):
        lines.append(f"fleetcast predict{option} and serve go on with the former champion: {former}")
    if without := " or ".join(one.kind for one in left if not one.champion):
        served = " and ".join(sorted({*champions, *(one.kind for one in results if one.champion)}))
        use = f"forecast {served} only" if served else "have nothing to use"
        lines.append(f"without a champion of {without}, fleetcast predict and serve {use}")
    lines.append(f"forecasts of this run: fleetcast predict --alias latest{option}")
    promote = "; ".join(f"fleetcast models promote {one.version} --kind {one.kind}{option}" for one in left)
    lines.append(f"to use it all the same: {promote}")
    return [*lines, "other markets belong in a store of their own: --store FOLDER"]


def where_to_ask(url: str, versions: Mapping[Kind, str], example: str, metrics: str, *, has_keys: bool) -> str:
    """Return what ``serve`` prints when it is ready: what is served, and where to ask."""
    key = " -H 'Authorization: Bearer KEY'" if has_keys else ""
    return (
        f"serving {' and '.join(f'{kind} {version}' for kind, version in versions.items())} at {url}\n"
        f'  try   curl -s{key} {url}/v1/predictions -d \'{{"symbols": ["{example}"]}}\'\n'
        f"  page  {url}\n  docs  {url}/docs\n  Prometheus  {metrics}\n  stop  Ctrl-C"
    )
