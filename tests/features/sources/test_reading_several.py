"""Files of several symbols, and what tells their series apart."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from price_files import NAMES, TWO, B, bars, loaded, long

from configs.errors import DataError
from features.bars.schema import bars_from_frame


def closes(*names):
    return pd.DataFrame({name: bars(base=40.0 * (i + 1), decimals=2)["Close"] for i, name in enumerate(names)})


SEVERAL = {
    "symbol_column_stock": long(TWO, "stock").to_csv(index=False),
    "nixtla_ids": long(TWO, "unique_id", "ds").to_csv(index=False),
    "yf_2level_noname": ",Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n,"
    + ",".join(["AAPL,C"] * 5)
    + "\nDate,,,,,,,,,,\n"
    + pd.concat({n: pd.concat({k: f[n] for k, f in TWO.items()}, axis=1) for n in sorted(NAMES)}, axis=1).to_csv(
        header=False
    ),
    "yfinance_price_ticker": pd.concat(TWO, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1).to_csv(),
    "quantmod_names": pd.concat({f"{k}.{n}": f[n] for k, f in TWO.items() for n in NAMES}, axis=1).to_csv(),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_a_file_of_two_symbols_gives_both(tmp_path, case):
    (tmp_path / "prices.csv").write_text(SEVERAL[case])
    found, _ = loaded(tmp_path / "prices.csv")
    assert [one.symbol for one in found] == list(TWO)
    for one, frame in zip(found, TWO.values(), strict=True):
        np.testing.assert_array_equal(one.dates, frame.index.to_numpy().astype("datetime64[ns]"))
        np.testing.assert_array_equal(one.open, frame["Open"])
        np.testing.assert_array_equal(one.close, frame["Close"])


@pytest.mark.parametrize(
    "names", [["BAC", "C", "GS", "JPM"], ["AAPL", "JPM", "V"], ["AAPL", "MSFT", "GOOG"], ["HD", "LOW"]]
)
def test_a_matrix_of_closes_is_a_series_of_each_column(tmp_path, names):
    matrix = closes(*names)
    matrix.iloc[3, 0] = np.nan
    matrix.to_csv(tmp_path / "closes.csv")
    for found in (loaded(tmp_path / "closes.csv")[0], bars_from_frame(matrix)[0]):
        assert [one.symbol for one in found] == sorted(names) and not any(one.has_range for one in found)
        for one in found:
            np.testing.assert_array_equal(one.close, matrix[one.symbol].dropna())


def test_a_column_that_tells_instruments_apart_is_named_and_can_be_chosen(tmp_path):
    long({"1": B, "6": TWO["C"]}, "Kind").to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(DataError, match=r"column 'Kind' may name the instrument. Say so: --symbol-column 'Kind'"):
        loaded(tmp_path / "train.csv")
    found, _ = loaded(tmp_path / "train.csv", symbol_column="kind")
    assert [one.symbol for one in found] == ["1", "6"]


def test_two_series_without_a_column_that_tells_them_apart_are_refused(tmp_path):
    pd.concat([B, TWO["C"]]).to_csv(tmp_path / "X.csv")
    with pytest.raises(DataError, match="several instruments or periods"):
        loaded(tmp_path / "X.csv")


def test_bonds_of_a_share_are_symbols_of_their_own(tmp_path):
    frame = long({"EQ": B, "N1": TWO["C"]}, "SERIES").assign(SYMBOL="IRFC")
    frame.to_csv(tmp_path / "bhav.csv", index=False)
    assert [one.symbol for one in loaded(tmp_path / "bhav.csv")[0]] == ["IRFC", "IRFC-N1"]


def sheet(rows) -> str:
    def cell(value):
        number = isinstance(value, float)
        return f"<c><v>{value}</v></c>" if number else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'


def workbook(sheets: dict[str, list]) -> bytes:
    """Return a minimal workbook."""
    office, package = (
        "http://schemas.openxmlformats.org/officeDocument/2006",
        "http://schemas.openxmlformats.org/package/2006",
    )
    main, kind = (
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "application/vnd.openxmlformats-officedocument",
    )
    names = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{i}" Type="{office}/relationships/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}/relationships">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
    } | {f"xl/worksheets/sheet{i}.xml": sheet(rows) for i, rows in enumerate(sheets.values(), 1)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_workbook_is_read_with_its_sheets_as_symbols_if_it_has_several(tmp_path):
    rows = {
        k: [["Date", *NAMES], *([f"{d:%d.%m.%Y}", *map(float, r)] for d, r in f.iterrows())] for k, f in TWO.items()
    }
    (tmp_path / "X.xlsx").write_bytes(workbook({"Sheet1": [["Prices of X"], *rows["AAPL"]]}))
    (found,), _ = loaded(tmp_path / "X.xlsx")
    assert found.symbol == "X" and found.close.tolist() == B["Close"].tolist()
    (tmp_path / "book.xlsx").write_bytes(workbook(rows))
    assert [one.symbol for one in loaded(tmp_path / "book.xlsx")[0]] == ["AAPL", "C"]


def test_arrow_files_and_folders_in_folders_are_read(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    B.reset_index().to_feather(tmp_path / "a" / "X.feather")
    TWO["C"].to_csv(tmp_path / "a" / "b" / "C.csv")
    assert {one.symbol for one in loaded(tmp_path)[0]} == {"X", "C"}
