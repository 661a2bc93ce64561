"use strict";
const SYMBOL = decodeURIComponent(location.pathname.slice("/symbols/".length));
const SHOWN = 250, BARS_A_YEAR = 252;
const Z = [[1.645, 0.15], [0.674, 0.3]]; // of 90 and 50 %, and how strongly they are filled

function layout(extra) {
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("soft"), size: 12 },
    margin: { l: 56, r: 16, t: 12, b: 32 }, hovermode: "x unified", showlegend: true, legend: { orientation: "h", y: 1.12 },
    ...extra, xaxis: { ...axis, ...extra.xaxis }, yaxis: { ...axis, ...extra.yaxis },
  };
}

function draw(id, traces, extra) {
  document.getElementById(`${id}-chart`).hidden = false;
  Plotly.newPlot(id, traces, layout(extra), { displayModeBar: false, responsive: true });
}

function clear(name, strength) {
  const [r, g, b] = colour(name).match(/\w\w/g).map((hex) => parseInt(hex, 16));
  return `rgba(${r},${g},${b},${strength})`;
}

/* The days of the next bars: every day where the history has weekends, else weekdays. */
function nextDays(dates, count) {
  const always = dates.slice(-30).some((day) => [0, 6].includes(new Date(day).getUTCDay()));
  const out = [], day = new Date(dates[dates.length - 1]);
  while (out.length < count) {
    day.setUTCDate(day.getUTCDate() + 1);
    if (always || ![0, 6].includes(day.getUTCDay())) out.push(day.toISOString().slice(0, 10));
  }
  return out;
}

function drawPrice(history, forecast) {
  const traces = [{ x: history.dates, y: history.close, name: "close", mode: "lines", line: { color: colour("accent"), width: 1.5 } }];
  if (forecast) {
    const last = history.close[history.close.length - 1], start = history.dates[history.dates.length - 1];
    const days = [start, ...nextDays(history.dates, forecast.horizon_bars)];
    for (const [z, strength] of Z) {
      const edge = (sign) => days.map((_, h) => last * Math.exp(sign * z * forecast.annualised * Math.sqrt(h / BARS_A_YEAR)));
      const line = { width: 0 }, hoverinfo = "skip";
      traces.push({ x: days, y: edge(1), mode: "lines", line, hoverinfo, showlegend: false });
      traces.push({ x: days, y: edge(-1), mode: "lines", line, fill: "tonexty", fillcolor: clear("up", strength), name: z > 1 ? "90 %" : "50 %" });
    }
  }
  draw("price", traces, { yaxis: { title: { text: "price" } } });
}

function drawDirection(past) {
  const traces = ["down", "sideways", "up"].map((name) => ({
    x: past.dates, y: past[name], name, mode: "lines", stackgroup: "all", line: { width: 0 },
    fillcolor: colour(name === "sideways" ? "side" : name), hovertemplate: "%{y:.1%}",
  }));
  const marks = { down: 0.03, sideways: 0.5, up: 0.97 };
  traces.push({
    x: past.dates, y: past.outcome.map((name) => (name ? marks[name] : null)), text: past.outcome, name: "came true", mode: "markers",
    marker: { size: 5, color: colour("ink"), line: { width: 1, color: colour("paper") } }, hovertemplate: "%{text}",
  });
  const known = past.outcome.filter(Boolean).length;
  let loss = 0, prior = 0;
  past.outcome.forEach((name, i) => { if (name) { loss -= Math.log(past[name][i]); prior -= Math.log(past.prior[name]); } });
  document.getElementById("direction-note").textContent =
    `${known} outcomes that the model had not seen: log loss ${(loss / known).toFixed(3)}; always saying the symbol's class prior gives ${(prior / known).toFixed(3)}. So few outcomes tell little.`;
  draw("direction", traces, { yaxis: { range: [0, 1], tickformat: ".0%" } });
}

function drawVolatility(past, level) {
  const line = { width: 0 }, hovertemplate = "%{y:.1%}";
  const traces = [
    { x: past.dates, y: past.high, mode: "lines", line, hoverinfo: "skip", showlegend: false },
    { x: past.dates, y: past.low, mode: "lines", line, fill: "tonexty", fillcolor: clear("up", 0.18), name: "interval", hoverinfo: "skip" },
    { x: past.dates, y: past.annualised, mode: "lines", line: { color: colour("up"), width: 1.8 }, name: "forecast", hovertemplate },
    { x: past.dates, y: past.realised, mode: "markers", marker: { size: 4, color: colour("ink") }, name: "came true", hovertemplate },
  ];
  const held = past.realised.map((value, i) => (value === null ? null : past.low[i] <= value && value <= past.high[i]));
  const known = held.filter((one) => one !== null);
  const share = percent(known.filter(Boolean).length / Math.max(known.length, 1), 0);
  document.getElementById("volatility-note").textContent =
    `The interval held ${share} of ${known.length} outcomes that the model had not seen; ${percent(level, 0)} are meant. Neighbours overlap.`;
  draw("volatility", traces, { yaxis: { tickformat: ".0%", rangemode: "tozero" } });
}

function nowCards(one) {
  const cards = [];
  if (one.direction) {
    const card = make("section", undefined, "card"), d = one.direction;
    card.append(make("h2", `next ${d.horizon_bars === 1 ? "bar" : `${d.horizon_bars} bars`}`), probabilityBar(d.probabilities));
    card.append(make("p", ["down", "sideways", "up"].map((name) => `${name} ${percent(d.probabilities[name], 0)}`).join(", ")));
    card.append(make("p", `${percent(d.level, 0)} set: ${d.label_set.join(" or ")}`), make("p", `likeliest ${d.label}, ${percent(d.confidence)}`));
    cards.push(card);
  }
  if (one.volatility) {
    const card = make("section", undefined, "card"), v = one.volatility;
    card.append(make("h2", `volatility of the next ${v.horizon_bars} bars`), make("p", `${percent(v.annualised)} a year`, "verdict"));
    card.append(make("p", `${percent(v.level, 0)} interval: ${percent(v.low)} to ${percent(v.high)}`));
    cards.push(card);
  }
  return cards;
}

async function load() {
  document.title = `${SYMBOL} · Fleetcast`;
  document.getElementById("name").textContent = SYMBOL;
  const path = encodeURIComponent(SYMBOL);
  const [one, history, models] = await Promise.all([
    ask(`/v1/predictions/${path}`), ask(`/v1/history/${path}?bars=${SHOWN}`), ask("/v1/models"),
  ]);
  if (one.as_of) document.getElementById("asof").textContent = `as of ${one.as_of.slice(0, 10)}, ${one.close.toLocaleString("en", { maximumSignificantDigits: 6 })}`;
  if (one.error) told(one.error);
  else if (ageDays(one.as_of) > STALE_DAYS) told({ message: `The newest bar is ${ageDays(one.as_of)} days old.` });
  document.getElementById("notes").textContent = one.notes.join("; ");
  document.getElementById("now").replaceChildren(...nowCards(one));
  if (history.dates.length) drawPrice(history, one.volatility);
  if (history.direction && history.direction.dates.length) drawDirection(history.direction);
  if (history.volatility && history.volatility.dates.length) drawVolatility(history.volatility, models.find((one) => one.kind === "volatility").level);
  document.getElementById("models").replaceChildren(...models.map(skillCard));
}

load().catch(told);
