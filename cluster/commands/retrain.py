"""``fleetcast retrain``: train again what is due, the most urgent symbols first."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import Address, AsJson, Database, Kinds, Overrides, StorePath


def retrain(
    due: Annotated[bool, typer.Option("--due", help="Train the kinds that are due; the default.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Train now, due or not.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be trained and why; train nothing.")
    ] = False,
    kinds: Kinds = None,
    bot: Annotated[
        str | None, typer.Option("--bot", help="Whose positions and alerts count; by default bot.name.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with sections such as retrain and run.")] = None,
    store: StorePath = ".fleetcast",
    database: Database = None,
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Train models again by the settings of their champions, and promote those that pass the gate."""
    from datetime import UTC, datetime

    from cluster.options.option_values import check_store, interruptible
    from cluster.options.retrain_options import retrain_options

    wanted, settings = retrain_options(due, force, kinds, config, overrides)
    name = bot or settings.bot.name
    from cluster.session import check_reachable, connect
    from cluster.views.progress import watching
    from cluster.views.retrain_table import show_plans, show_retrained
    from serving.bot.known_bots import check_bot
    from serving.journal import open_journal
    from serving.retraining.plan import plan_retraining
    from serving.retraining.retrain import retrain as train_again
    from serving.retraining.shadows import check_shadows
    from training.registry.manager import ModelManager

    models = ModelManager(store)
    check_store(models.store, store)
    if address is not None:
        check_reachable(address)
    hint = "; finished blocks are kept: run the same command again to continue"
    with open_journal(database, store, settings.journal) as journal, interruptible(hint):
        with journal.connect() as connection:
            check_bot(connection, name)
        plans = plan_retraining(journal, models, settings, name, kinds=wanted, force=force)
        if dry_run or not as_json:
            show_plans(plans, as_json)
        if dry_run:
            return
        with watching(as_json) as callbacks:
            done = train_again(
                journal, models, settings, name, plans, cluster=lambda: connect(address), callbacks=callbacks
            )
        check_shadows(journal, models, settings, name, datetime.now(UTC))
    show_retrained(plans, done, as_json)
    if any(one.failed for one in done):
        raise typer.Exit(1)
