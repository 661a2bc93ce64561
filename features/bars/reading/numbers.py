"""Numbers: whether a table's decimal mark is a point or a comma, decided once, and the parsing of its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Float, Mask

Decimal = Literal[".", ","]
_MISSING = frozenset("- -- --- . .. na n/a #n/a #na nan none null <na> nat – — − ? x".split()) | {""}
_SUFFIX = {
    "k": 1e3,
    "tsd": 1e3,
    "m": 1e6,
    "mio": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "mrd": 1e9,
    "t": 1e12,
}
_SUFFIX |= {"lakh": 1e5, "l": 1e5, "cr": 1e7, "crore": 1e7, "万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8}
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<body>\d[\d.,]*|[.,]\d+)(?P<exp>e[+-]?\d+)?(?P<suffix>[a-z万萬億亿]*)\.?")
_CURRENCY = "usdt|usd|eur|gbp|gbx|chf|jpy|cny|hkd|inr|krw|brl|cad|aud|sek|nok|dkk|pln|try|zar|kr|zł|tl|rs"
_NOISE = re.compile(
    rf"(?<![a-z])(?:us|r|a|c|s|hk|nt|nz|mx)\$|^(?:{_CURRENCY})\b\.?|(?<=\d)\s?(?:{_CURRENCY})\.?$"
    r"|[$€£¥₹₩₺₽\s'’_\u00a0\u202f]"
)
_SAMPLE = 5000  # distinct texts a column that the decision looks at


@dataclass(frozen=True, slots=True)
class DecimalMark:
    """A table's decimal mark, and the line that says how it was decided (empty for plain numbers)."""

    mark: Decimal
    line: str = ""


def is_text(values: pd.Series) -> bool:
    """Whether a column is text (or objects of several types), whose spelling must be read."""
    kind = values.dtype
    if isinstance(kind, np.dtype):
        return kind.kind not in "iufc"
    return not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)


def decide_decimal(
    columns: Mapping[str, pd.Series],
    place: str,
    *,
    given: Decimal | None = None,
    delimiter: str | None = None,
    dotted_dates: bool = False,
) -> DecimalMark:
    """Decide the decimal mark of a table's number columns.

    Parameters
    ----------
    columns
        Price and volume columns by name. Numeric ones have been read already.
    place
        Where the table comes from, for messages.
    given
        The mark that the user names.
    delimiter
        Of a text file: cells between semicolons with one comma have a decimal comma.
    dotted_dates
        Whether dates are written ``31.12.2024``: where they are, a comma never groups digits.

    Raises
    ------
    DataError
        Both readings fit all values.
    """
    if given is not None:
        return DecimalMark(given, "decimals: comma (as given)" if given == "," else "")
    if not any(is_text(values) for values in columns.values()):
        return DecimalMark(".")
    texts = {name: _sample(values) for name, values in columns.items()}
    point: list[tuple[str, str]] = []
    comma: list[tuple[str, str]] = []
    unclear: list[tuple[str, str]] = []
    for name, values in texts.items():
        for value in values:
            kind = _evidence(value)
            if kind is not None:
                {".": point, ",": comma, "?": unclear}[kind].append((name, value))
    if point and comma:
        if min(len(point), len(comma)) * 10 > max(len(point), len(comma)):
            raise DataError(
                f"{place} writes decimals with a point ({_shown(point[0])}) and with a comma ({_shown(comma[0])}). "
                "Say which it is: --decimal . or --decimal ,"
            )
    if point or comma:
        return DecimalMark(".") if len(point) > len(comma) else _comma(columns, place)
    if not unclear:
        return DecimalMark(".")
    name, value = unclear[0]
    commas = "," in value
    if commas and (dotted_dates or delimiter == ";"):
        return _comma(columns, place)
    if not commas and (delimiter == "," or not dotted_dates or _ungrouped(columns)):
        return DecimalMark(".")
    grouped = re.sub(r"[.,]", "", value)
    raise DataError(
        f"{place} has numbers such as {value!r} (column {name!r}), which may be {value.replace(',', '.')} or "
        f"{grouped}. Say what the decimal mark is: --decimal {'.' if commas else ','} if it is {grouped}, "
        f"--decimal {',' if commas else '.'} if it is {value.replace(',', '.')}."
    )


def _comma(columns: Mapping[str, pd.Series], place: str) -> DecimalMark:
    for name, values in columns.items():
        if not is_text(values) and values.dtype.kind == "f" and bool((values.dropna() % 1 != 0).any()):
            raise DataError(
                f"{place} has a decimal comma, but column {name!r} was converted with a point. "
                "Read it as text: pandas.read_csv(…, dtype=str)."
            )
    return DecimalMark(",", "decimals: comma")


def parse_numbers(values: pd.Series, decimal: Decimal = ".") -> tuple[Float, Mask]:
    """Return float64 numbers of shape (N,), and a mask of the values that are not numbers.

    Accepts numeric types and numbers as text: grouped by the other mark, by spaces or by apostrophes (``1,234.5``, also
    ``12,34,567``), with a currency sign, or with a suffix such as K, M and B. Blanks, ``-``, ``null`` and the like are
    missing (NaN), not errors. A number with the wrong mark is an error, never another number.
    """
    if not is_text(values):
        if isinstance(values.dtype, np.dtype):
            return np.array(values.array, np.float64), np.zeros(len(values), bool)
        return values.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(values), bool)
    if values.dtype == object:
        is_number = np.fromiter((isinstance(v, (int, float, np.number)) for v in values), bool, len(values))
        if is_number.any():
            numbers, wrong = np.full(len(values), np.nan), np.zeros(len(values), bool)
            numbers[is_number] = values[is_number].astype(np.float64)
            rest = values[~is_number].astype(object)
            if rest.notna().any():
                numbers[~is_number], wrong[~is_number] = parse_numbers(
                    rest.where(rest.isna(), rest.astype(str)), decimal
                )
            return numbers, wrong
        values = values.astype(str).where(values.notna())
    codes, uniques = pd.factorize(values)
    text = pd.Series(uniques, dtype=str).str.strip().str.lower()
    plain = text.str.replace(",", ".", regex=False) if decimal == "," else text
    numbers = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64).copy()
    odd = np.isnan(numbers)
    if decimal == ",":
        odd |= text.str.contains(".", regex=False).to_numpy(bool)
    wrong = np.zeros(len(text), bool)
    for i in np.flatnonzero(odd):
        numbers[i], wrong[i] = _parse(text.iloc[i], decimal)
    found = codes >= 0
    out = np.full(len(values), np.nan)
    out[found] = numbers[codes[found]]
    unparsable = np.zeros(len(values), bool)
    unparsable[found] = wrong[codes[found]]
    return out, unparsable


def _parse(text: str, decimal: Decimal) -> tuple[float, bool]:
    """Return one number and whether the text is not one."""
    if text in _MISSING:
        return np.nan, False
    cleaned = _NOISE.sub("", text.replace("−", "-").replace("\u2013", "-"))
    if cleaned.startswith("(") and cleaned.endswith(")"):
        cleaned = "-" + cleaned[1:-1]
    if cleaned in ("inf", "+inf", "-inf", "infinity", "∞"):
        return float(cleaned.replace("∞", "inf")), False
    match = _NUMBER.fullmatch(cleaned)
    if match is None or (match["suffix"] and match["suffix"] not in _SUFFIX):
        return np.nan, True
    whole, _, fraction = match["body"].partition(decimal)
    group = "," if decimal == "." else "."
    if decimal in fraction or group in fraction or (group in whole and not _grouped(whole.split(group))):
        return np.nan, True
    number = float(f"{whole.replace(group, '') or 0}.{fraction or 0}{match['exp'] or ''}")
    return (-number if match["sign"] == "-" else number) * _SUFFIX.get(match["suffix"], 1.0), False


def _grouped(parts: list[str]) -> bool:
    """Whether digits are grouped by thousands, or in the Indian way (``12,34,567``)."""
    first, *others, last = parts
    return (
        1 <= len(first) <= 3
        and len(last) == 3
        and (all(len(part) == 3 for part in others) or (len(first) <= 2 and all(len(part) == 2 for part in others)))
    )


def _evidence(text: str) -> str | None:
    """Return the decimal mark that a text proves, ``?`` where both readings fit, ``None`` where it says nothing."""
    match = _NUMBER.fullmatch(_NOISE.sub("", text.strip().lower()))
    if match is None:
        return None
    body = match["body"]
    marks = [c for c in body if c in ".,"]
    if not marks:
        return None
    if len(set(marks)) == 2:
        return marks[-1]
    other = "," if marks[0] == "." else "."
    parts = body.split(marks[0])
    if len(marks) > 1:
        return other if _grouped(parts) else None
    single = len(parts[1]) == 3 and 1 <= len(parts[0]) <= 3 and not parts[0].startswith("0")
    return "?" if single else marks[0]


def _sample(values: pd.Series) -> list[str]:
    """Return distinct texts of a column; of numbers the fractions, which were read with a point."""
    if not is_text(values):
        fractions = values[values % 1 != 0].dropna() if values.dtype.kind == "f" else values[:0]
        return [repr(float(value)) for value in fractions[:50]]
    distinct = values.dropna().unique()
    step = max(1, len(distinct) // _SAMPLE)
    return [
        value if isinstance(value, str) else repr(float(value)) for value in distinct[::step] if not _is_whole(value)
    ]


def _is_whole(value: object) -> bool:
    return not isinstance(value, str) and not (isinstance(value, float) and value % 1 != 0)


def _ungrouped(columns: Mapping[str, pd.Series]) -> bool:
    """Whether a whole number of at least four digits is written without a mark."""
    for values in columns.values():
        if not is_text(values):
            if bool((values.abs() >= 1000).any()):
                return True
        elif any(re.fullmatch(r"\d{4,}", text.strip()) for text in _sample(values)):
            return True
    return False


def _shown(found: tuple[str, str]) -> str:
    return f"{found[1]!r} in {found[0]!r}"
