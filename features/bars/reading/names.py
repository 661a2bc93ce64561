"""Column names of vendors and languages, and which field each stands for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Field → names in order of preference. Case, accents, spaces and punctuation do not matter.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "date": tuple(
        "date,datetime,timestamp,dt,session,day,open time,unix,data,datum,fecha,дата,tarih,日付,日期,交易日期,날짜,"
        "일자,trade date,trading date,traddt,tradedt,date1,trading day,price date,pricedate,as of date,business date,"
        "biz date,caldt,datadate,observation date,dtyyyymmdd,date time,date utc,date gmt,time utc,utc time,gmt time,"
        "local time,window start,snapped at,ts event,time period start,time open,timeopen,candle begin time,begin,"
        "start,start time,start date,ts,ds,unix timestamp,unix time,epoch,時間,时间,日時,日付け,timestamp utc,"
        "exchange date,datetime stamp,bar date,unix timestamp ms,time close,timeclose,close time,end time,period,"
        "data sessao,data pregao,giorno,datetime utc,kline open time,quote date,"
        "date of trade,jour,dag,päivämäärä,päivä,"
        "tanggal,ngày,תאריך,التاريخ,ημερομηνία,วันที่,datum čas,dátum,kuupäev,data zilei,dates".split(",")
    ),
    "time": tuple("time,czas,uhrzeit,zeit,heure,hora,ora,время,saat,時刻,시간,tid,tijd,hour".split(",")),
    "symbol": tuple(
        "symbol,ticker,tic,act symbol,tckrsymb,ticker symbol,trading symbol,stock symbol,unique id,ts code,"
        "stock code,secid,sec code,security code,code,銘柄コード,コード,代码,股票代码,证券代码,종목코드,instrument,"
        "ric,pair,currency pair,stock,asset,asset id,security,security id,sid,permno,gvkey,isin,wkn,coin,"
        "sym,instrument id,symbole,simbolo,symbool,sembol,тикер,name,nazwa,"
        "stock name,asset name,名称,股票名称,銘柄名,"
        "종목명".split(",")
    ),
    "open": tuple(
        "open,open price,px open,opening price,price open,opnpric,first,openprc,prcod,bid open,mid o,24h open,"
        "bar open,bar open bid quote,otwarcie,eröffn,откр,eröffnung,eröffnungskurs,erster,eröffnet,anfangskurs,"
        "ouverture,ouv,apertura,precio apertura,abertura,preço abertura,açılış,открытие,цена открытия,opening,"
        "öppning,öppningskurs,öffnung,öppen,avaus,avauskurssi,pembukaan,buka,mở,"
        "mở cửa,פתיחה,مفتوح,άνοιγμα,เปิด,nyitó,"
        "trade open,mid open,始値,開盤價,开盘,开盘价,今开,시가".split(",")
    ),
    "high": tuple(
        "high,high price,px high,price high,hghpric,highest,max,askhi,prchd,bid high,mid h,24h high,bar high,"
        "bar high bid quote,高,highest price,najwyzszy,hoch,höchst,höchstkurs,tageshoch,höchster,haut,plus haut,"
        "máximo,maximo,alto,massimo,máxima,max price,yüksek,en yüksek,максимум,макс,макс цена,hoog,högst,högsta,"
        "högstakurs,ylin,tertinggi,cao,cao nhất,גבוה,مرتفع,υψηλό,สูง,สูงสุด,"
        "trade high,mid high,高値,最高,最高价,最高價,고가".split(",")
    ),
    "low": tuple(
        "low,low price,px low,price low,lwpric,lowest,min,bidlo,prcld,bid low,mid l,24h low,bar low,"
        "bar low bid quote,低,lowest price,najnizszy,tief,tiefst,tiefstkurs,tagestief,tiefster,bas,plus bas,mínimo,"
        "minimo,bajo,basso,mínima,min price,düşük,en düşük,минимум,мин,мин цена,"
        "laag,lägst,lägsta,lägstakurs,alin,terendah,thấp,thấp nhất,נמוך,منخفض,χαμηλό,ต่ำ,ต่ำสุด,trade low,mid low,安値,"
        "最低,最低价,最低價,저가".split(",")
    ),
    "close": tuple(
        "close,close price,px last,close last,closing price,price close,clspric,settle,settlement price,sttlmpric,"
        "last,last price,prc,prccd,bid close,"
        "mid c,bar close,bar close bid quote,price,zamkniecie,schluss,schlusskurs,"
        "zuletzt,laatst,ostatnio,clot,schlußkurs,schlusspreis,letzter,kurs,clôture,cloture,dernier,fermeture,cierre,"
        "precio cierre,último,ultimo,último precio,chiusura,fechamento,último preço,kapanış,şimdi,закрытие,"
        "цена закрытия,цена,slotkoers,slot,laatste,stängning,stängningskurs,"
        "senast,senaste,viimeisin,terakhir,penutupan,"
        "lần cuối,đóng cửa,שער,الأخير,τελευταία,ล่าสุด,záró,trade close,"
        "trade price,mid close,終値,現在値,收盘,收盘价,收盤價,"
        "종가,nav,net asset value,rücknahmepreis,value,close mid,mid".split(",")
    ),
    "adj_close": tuple(
        "adj close,adjusted close,close adj,close adjusted,adj close price,adjustment close,adjusted close price,"
        "dividend adjusted close,adj closing price,adj last,adj price,adjusted,bereinigter schlusskurs,調整後終値,"
        "clôture ajustée,cierre ajustado,후행조정종가".split(",")
    ),
    "adj_open": tuple("adj open,adjusted open,adjustment open,open adjusted".split(",")),
    "adj_high": tuple("adj high,adjusted high,adjustment high,high adjusted".split(",")),
    "adj_low": tuple("adj low,adjusted low,adjustment low,low adjusted".split(",")),
    "adj_volume": tuple("adj volume,adjusted volume,adjustment volume,volume adjusted".split(",")),
    "adj_factor": ("adj factor", "adjustment factor"),
    "splits": tuple(
        "stock splits,stock split,splits,split,split ratio,split factor,split coefficient,splitting factor,"
        "share split,share splits,stock split ratio,split adjustment factor,split event,aktiensplit,aktiensplits,"
        "株式分割,拆股,分拆".split(",")
    ),
    "volume": tuple(
        "volume,vol,volume shares,cshtrd,no of shrs,volume traded,交易量,hac,wol,bar volume,real volume,base volume,"
        "volume from,volumefrom,volume base,ttltradgvol,tottrdqty,share volume,shares traded,traded volume,"
        "trade volume,total volume,px volume,trading volume,quantity,no of shares,total traded quantity,ttl trd qnty,"
        "stücke,stuecke,stück,gehandelte stück,wolumen,volumen,volúmen,volume scambiato,hacim,объем,объём,omsättning,"
        "aantal,umsatz stück,umsatz in stück,number of shares,"
        "candle acc trade volume,trade vol,成交股數,kl,khối lượng,"
        "נפח,الحجم,όγκος,ปริมาณ,出来高,売買高,成交量,成交量 股,거래량,tick volume,tickvol,"
        "tick vol,volume ticks,volume quote,"
        "quote volume,volume usd,total volume 24h".split(",")
    ),
}
SERIES = frozenset({"series", "sctysrs"})  # NSE: which board a line belongs to
_AMOUNT, _AMOUNTS = 2000, frozenset({"volumequote", "quotevolume", "volumeusd", "totalvolume24h"})  # after shares
_LETTERS = {"t": "date", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "y": "close"}
_QUOTES = frozenset("usd usdt usdc busd tusd fdusd dai eur gbp gbx chf jpy cny hkd inr krw brl try aud cad".split())
_UNITS = _QUOTES | frozenset("currency $ € £ ¥ base btc eth bnb shares stk units lots contracts rs rub pln sek".split())
_NO_UNIT = frozenset("MA SMA EMA AVG USDCHANGE CHANGE CHG PCT VWAP ID".split())
_QUALIFIED = re.compile(r"^\s*(?P<base>.+?)[\s_.\-]*[\[(\s_.\-]\s*(?P<unit>[A-Za-z$€£¥]{1,8})\s*[\])]?[\s*]*$")


@lru_cache(maxsize=4096)
def compact(name: str) -> str:
    """Return a name without case, accents, leading number and punctuation: ``"5. Adj Close"`` → ``adjclose``."""
    text = re.sub(r"^\s*\d+[a-z]?\.\s*", "", name.strip().replace("ß", "ss").casefold())
    text = unicodedata.normalize("NFKD", text.replace("ı", "i").replace("ł", "l"))
    return re.sub(r"[\W_]+", "", "".join(c for c in text if not unicodedata.combining(c)))


_RANK = {compact(n): (field, i) for field, ns in reversed(SPELLINGS.items()) for i, n in reversed([*enumerate(ns)])}


def ranked_field(name: object) -> tuple[str, int] | None:
    """Return the field of a column's name and its rank among the field's names, ``None`` for an unknown name.

    Qualified names (``Volume_(BTC)``, ``Close [USD]``) rank after plain ones; amounts in a currency after shares.
    """
    text = str(name)
    key = compact(text)
    found = _RANK.get(key)
    if found is not None:
        return (found[0], found[1] + _AMOUNT) if key in _AMOUNTS else found
    match = _QUALIFIED.match(text)
    if match is None:
        return None
    field, unit = _RANK.get(compact(match["base"])), match["unit"]
    if field is None or field[0] not in ("open", "high", "low", "close", "adj_close", "volume", "date"):
        return None
    known = unit.lower() in _UNITS or (field[0] == "date" and unit.lower() in ("utc", "gmt", "et", "est"))
    coin = field[0] == "volume" and unit.isupper() and 2 <= len(unit) and unit not in _NO_UNIT
    if not (known or coin):
        return None
    return field[0], field[1] + (_AMOUNT if unit.lower() in _QUOTES or unit.lower() == "currency" else 1000)


def field_of(name: object) -> str | None:
    """Return our name of a column's field (``"<CLOSE>"`` → ``"close"``), ``None`` for an unknown column."""
    found = ranked_field(name)
    return None if found is None else found[0]


def fields_of(names: Sequence[str]) -> list[tuple[str, int] | None]:
    """Return field and rank of each column of a table.

    A single letter is a field only if the table has all of o, h, l and c (``y``: if it has ``ds``): C, V and T are
    tickers too. ``T`` next to ``t`` is the ticker, and ``t`` the time.
    """
    return list(_fields_of(tuple(names)))


@lru_cache(maxsize=64)  # the files of a folder have one header
def _fields_of(names: tuple[str, ...]) -> tuple[tuple[str, int] | None, ...]:
    letters = {name.strip().lower() for name in names if len(name.strip()) == 1}
    has_set = {"o", "h", "l", "c"} <= letters
    has_ds = any(name.strip().lower() == "ds" for name in names)
    found: list[tuple[str, int] | None] = []
    for name in names:
        letter = name.strip().lower()
        if name.strip() == "T" and "t" in names:
            found.append(("symbol", 500) if has_set else None)
        elif letter in _LETTERS:
            found.append((_LETTERS[letter], 500) if (has_ds if letter == "y" else has_set) else None)
        else:
            found.append(ranked_field(name))
    return tuple(found)
