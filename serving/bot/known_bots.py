"""The bots of a journal, and an error for a name that is none of them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from configs.errors import BotError, did_you_mean, shortened
from serving.bot.leader import lease_name
from serving.journal.schema import alerts, leases


def leased_bots(connection: Connection) -> list[str]:
    """Return the names of bots, those with the newest leases first: a bot has one before it writes anything."""
    prefix = lease_name("")
    named = select(leases.c.name).where(leases.c.name.startswith(prefix, autoescape=True))
    found = connection.execute(named.order_by(leases.c.expires_at.desc(), leases.c.name)).scalars()
    return [name.removeprefix(prefix) for name in found]


def check_bot(connection: Connection, name: str) -> None:
    """Check that a journal knows a bot; one in which no bot has worked yet takes any name.

    Raises
    ------
    BotError
        The journal has other bots only.
    """
    reporting = connection.execute(select(alerts.c.bot).distinct()).scalars()  # such as for `retrain` without a bot
    known = sorted({*leased_bots(connection), *reporting})
    if known and name not in known:
        raise BotError(
            f"the journal has no bot {name!r}. {did_you_mean(name, known)}It has {shortened(known)}. Check the name, "
            "--set bot.name and --database."
        )
