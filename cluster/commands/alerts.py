"""``fleetcast alerts``: what bots reported, whether it was sent, and whether the channels work."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Database, StorePath

app = typer.Typer(help="List alerts and their deliveries, send those that wait, test channels.", no_args_is_help=True)

Config = Annotated[str | None, typer.Option("--config", help="YAML file with the section alerts.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="alerts.key=value; may be repeated.")]
Bot = Annotated[str | None, typer.Option("--bot", help="The bot's name; by default bot.name.")]


@app.command("list")
def list_alerts(
    state: Annotated[
        str | None, typer.Option(help="Deliveries: waiting, sending, sent, failed, unknown or off; or open conditions.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="Only this event, such as rollback.")] = None,
    identifier: Annotated[str | None, typer.Option("--id", help="Beginning of an alert's or a message's id.")] = None,
    bot: Annotated[str | None, typer.Option("--bot", help="Only this bot's.")] = None,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="Number of newest alerts.")] = 50,
    store: StorePath = ".fleetcast",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the newest alerts with the state of their deliveries."""
    from cluster.views.alert_table import show_alerts
    from serving.alerts.records import find_alerts
    from serving.bot.known_bots import check_bot
    from serving.journal import open_journal

    with open_journal(database, store, create=False) as journal, journal.connect() as connection:
        if bot is not None:
            check_bot(connection, bot)
        found = find_alerts(connection, state=state, event=event, identifier=identifier, bot=bot, last=last)
    show_alerts(found, as_json)


@app.command()
def deliver(
    bot: Bot = None,
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="Longest wait for the services' limits.")] = 20,
    store: StorePath = ".fleetcast",
    database: Database = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Send the alerts that wait; the bot does so itself."""
    from cluster.views.alert_table import show_delivered
    from configs.load import load_config
    from serving.alerts.deliver import deliver as send
    from serving.bot.known_bots import check_bot
    from serving.journal import open_journal

    settings = load_config(None, config, overrides or [])
    name = bot or settings.bot.name
    with open_journal(database, store, settings.journal, create=False) as journal:
        with journal.connect() as connection:
            check_bot(connection, name)
        done = send(journal, name, settings.alerts, budget_s=seconds)
    show_delivered(done, as_json)
    if any(one.error for one in done.values()):
        raise typer.Exit(1)


@app.command()
def test(
    channel: Annotated[str | None, typer.Option("--channel", help="Only this channel; by default each.")] = None,
    bot: Bot = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message through each channel, and print which arrive."""
    from cluster.views.alert_table import show_tests
    from configs.load import load_config
    from serving.alerts.checks import check_channels

    settings = load_config(None, config, overrides or [])
    results = check_channels(settings.alerts, bot or settings.bot.name, channel)
    show_tests(results, as_json)
    if any(results.values()):
        raise typer.Exit(1)
