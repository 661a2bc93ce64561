"""What a file leaves open is refused with the option that decides it, and every row that is left out has a rule."""

import numpy as np
import pytest
from price_files import COIN, COUNT, THREE, B, bars, comma, csv, loaded, utc

from configs.errors import DataError


def test_stale_bars_and_opens_of_zero_are_kept_and_reported(tmp_path):
    frame = B.copy()
    frame.iloc[100:120, :4] = frame.iloc[99]["Close"]
    frame.iloc[100:120, 4] = np.nan
    frame.to_csv(tmp_path / "X.csv")
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT and source.quarantine.counts() == {"stale_price": 20}
    B.assign(Open=np.where(np.arange(COUNT) < 130, 0.0, B["Open"])).to_csv(tmp_path / "X.csv")
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT and source.quarantine.counts() == {"missing_open": 130}
    inside = np.clip(B["Close"].shift(1), B["Low"], B["High"])
    np.testing.assert_allclose(found.open[1:130], inside[1:130], rtol=1e-12)


def test_what_is_left_out_has_a_rule(tmp_path):
    text = csv(B).replace("\n", "\n1899-12-30,1,1,1,1,0\n", 1) + "2023-01-31 09:30:00-04:00,9,9,9,9,1\n2023-02-01,1,2\n"
    (tmp_path / "X.csv").write_text(text)
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT
    assert source.quarantine.counts() == {"ragged_row": 1, "unfinished_bar": 1, "placeholder_date": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("X.csv", b"<!DOCTYPE html><html></html>", "web page"),
        ("X.csv", b"\x80\x04\x95" + b"0" * 40, "pickle, which may run code"),
        ("X.csv", b"\x89HDF\r\n" + b"0" * 40, "HDF5"),
        ("X.zip", b"PK\x03\x04" + b"0" * 40, "damaged zip"),
        ("X.csv", csv(bars()).replace("2022-", "Wednesday-").encode(), "no date can be read"),
        (
            "X.csv",
            csv(B, [f"{d:%Y-%m-%d}" if d.month > 3 else f"{d:%b} {d.day}" for d in B.index]).encode(),
            "dates cannot",
        ),
        ("X.csv", csv(B, B.index.strftime("%d/%m/%Y")).split("2022,", 3)[0].encode(), "no"),
        ("X.csv", csv(comma(THREE, 3)).encode(), r"may be \d+\.\d+ or \d+.*--decimal"),
        ("X.csv", csv(COIN, utc(COIN, "Asia/Tokyo")).encode(), "--timezone UTC, or such as --timezone Asia/Tokyo"),
        (
            "X.csv",
            csv(B[:12], B.index[:12].strftime("%d/%m/%Y").str.replace("1[3-9]", "05", regex=True)).encode(),
            "--date-format",
        ),
        (
            "X.csv",
            csv(B, None, ["Ein", "Aus", "Oben", "Unten", "Menge"], index_name="Zeit").encode(),
            "--columns close=NAME",
        ),
    ],
)
def test_what_cannot_be_decided_is_refused_with_what_to_do(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        loaded(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_options_decide_what_the_content_cannot(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text(csv(comma(THREE, 3)))
    assert loaded(path, decimal=",")[0][0].open[0] == THREE["Open"].iloc[0]
    assert loaded(path, decimal=".")[0][0].open[0] == round(THREE["Open"].iloc[0] * 1000)
    path.write_text(csv(COIN, utc(COIN, "Asia/Tokyo")))
    assert str(loaded(path, timezone="Asia/Tokyo")[0][0].dates[0])[:10] == "2021-01-01"
    assert str(loaded(path, timezone="UTC")[0][0].dates[0])[:10] == "2020-12-31"
    path.write_text(csv(B[:12], [f"0{i % 9 + 1}/0{i // 9 + 1}/2022" for i in range(12)]))
    assert str(loaded(path, date_format="%d/%m/%Y")[0][0].dates[-1])[:10] == "2022-02-03"
    assert str(loaded(path, date_format="%m/%d/%Y")[0][0].dates[-1])[:10] == "2022-09-01"
    path.write_text(csv(B, None, ["Start", "Top", "Bottom", "End", "Menge"], index_name="Zeit"))
    fields = {"date": "Zeit", "open": "Start", "high": "Top", "low": "Bottom", "close": "End", "volume": "Menge"}
    (found,), _ = loaded(path, columns=fields)
    assert found.close.tolist() == B["Close"].tolist() and found.has_volume
    path.write_text(csv(B).split("\n", 1)[1])
    (found,), _ = loaded(path, columns={"date": "1", "close": "3"})
    assert found.close.tolist() == B["High"].tolist()
