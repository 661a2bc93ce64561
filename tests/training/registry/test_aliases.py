"""Champion and previous change together, and the history records why."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from configs.errors import ModelError
from training.registry.aliases import MAX_HISTORY, Aliases
from training.registry.manager import ModelManager
from training.run.publication import promote_if_better

Release = Callable[..., str]


def test_promote_and_rollback_change_both_aliases_and_record_history(manager: ModelManager, release: Release) -> None:
    first, second = release(manager, "a"), release(manager, "b")
    with pytest.raises(ModelError, match="no previous champion"):
        manager.rollback("direction")
    manager.promote("direction", first, "first of its kind")
    assert manager.aliases("direction").named() == {"champion": first}
    before = manager.store.read("models/direction/aliases.json")
    manager.promote("direction", "latest", "better")
    moved = manager.aliases("direction")
    assert (moved.champion, moved.previous) == (second, first)
    manager.promote("direction", second, "again")
    assert manager.aliases("direction") == moved and before != manager.store.read("models/direction/aliases.json")
    back = manager.rollback("direction", "worse live")
    assert (back.champion, back.previous) == (first, second)
    assert [(c.action, c.reason) for c in back.history] == [
        ("promote", "first of its kind"),
        ("promote", "better"),
        ("rollback", "worse live"),
    ]


def test_the_history_keeps_only_its_newest_entries() -> None:
    aliases, at = Aliases(), datetime(2026, 1, 2, tzinfo=UTC)
    for number in range(MAX_HISTORY + 5):
        aliases = aliases.promoted(f"v{number}", "why", at)
    assert len(aliases.history) == MAX_HISTORY and aliases.history[-1].champion == f"v{MAX_HISTORY + 4}"


def test_an_alias_file_that_is_not_one_is_a_clear_error(manager: ModelManager, release: Release) -> None:
    release(manager, "a")
    manager.store.write("models/direction/aliases.json", b"[]")
    with pytest.raises(ModelError, match="does not hold aliases"):
        manager.resolve("direction", "champion")


def test_a_version_is_promoted_only_over_the_champion_it_was_compared_with(
    manager: ModelManager, release: Release
) -> None:
    first, better, between = (release(manager, run) for run in ("xxxx", "xx", "xxx"))
    manager.promote("direction", first, "the first")
    assert manager.promote_over("direction", better, first, "lower loss")
    assert not manager.promote_over("direction", between, first, "lower loss than the first")
    assert not manager.promote_over("direction", between, None, "there was none")
    assert manager.aliases("direction").champion == better
    decision = promote_if_better(manager, "direction", between, "auto", 1)
    assert not decision.promote
    assert manager.aliases("direction").champion == better
