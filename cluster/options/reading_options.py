"""Options that say how files of bars are read where their content does not decide it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from configs.reading import ReadingConfig

Columns = Annotated[str | None, typer.Option(help="Columns of fields: date=Zeit,close=Schluss; close=* for a matrix.")]
SymbolColumn = Annotated[str | None, typer.Option(help="The column that names the instrument.")]
DateFormat = Annotated[str | None, typer.Option(help="How dates are written, such as %d/%m/%Y.")]
Decimal = Annotated[str | None, typer.Option(help="The decimal mark: . or ,")]
Timezone = Annotated[str | None, typer.Option(help="Of times without a zone and of sessions: Europe/Berlin, UTC.")]
Period = Annotated[str | None, typer.Option(help="Of a bar: 1d, 1h, 5min …")]

MaxUnpacked = Annotated[int | None, typer.Option("--max-unpacked-mib", help="The most that a compressed file holds.")]


class Seam(Enum):
    """What an import does where its closes differ from the stored ones of the same bars by one factor."""

    REBASE = "rebase"
    KEEP = "keep"
    REFUSE = "refuse"


def reading_of(
    columns: str | None,
    symbol_column: str | None,
    date_format: str | None,
    decimal: str | None,
    timezone: str | None,
    period: str | None,
    max_unpacked_mib: int | None = None,
) -> ReadingConfig:
    """Return the options as settings.

    Raises
    ------
    ConfigError
        An option has another form, or a field is unknown.
    """
    from typing import get_args

    from pydantic import ValidationError

    from configs.errors import ConfigError
    from configs.reading import BarField, ReadingConfig

    named: dict[str, str] = {}
    for part in columns.split(",") if columns else ():
        name, equals, column = part.partition("=")
        if not equals or name.strip() not in get_args(BarField) or not column.strip():
            raise ConfigError(
                f"--columns has {part!r}; expected such as date=Zeit,close=Schluss with fields of "
                f"{', '.join(get_args(BarField))}."
            )
        named[name.strip()] = column.strip()
    given = {
        "columns": named,
        "symbol_column": symbol_column,
        "date_format": date_format,
        "decimal": decimal,
        "timezone": timezone,
        "period": period,
    } | ({} if max_unpacked_mib is None else {"max_unpacked_mib": max_unpacked_mib})
    try:
        return ReadingConfig.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option, reason = str(first["loc"][0]).replace("_", "-"), first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--{option} has value {first['input']!r}; {reason[:1].lower()}{reason[1:]}.") from error
