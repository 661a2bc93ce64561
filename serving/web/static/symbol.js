"use strict";
const SYMBOL = decodeURIComponent(location.pathname.slice("/symbols/".length));
const BARS_SHOWN = 250, DAY_MS = 86400000;
const CONES = [[1.645, 0.15, "90 %"], [0.674, 0.3, "50 %"]]; // normal quantile, opacity, probability

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

function translucent(name, opacity) {
  const [r, g, b] = colour(name).match(/\w\w/g).map((hex) => parseInt(hex, 16));
  return `rgba(${r},${g},${b},${opacity})`;
}

/* The dates of the next bars: as far apart as the last ones, or of daily bars the next days, without weekends if the history has none. */
function nextDates(dates, count) {
  const times = dates.map((date) => Date.parse(date.includes("T") ? `${date}Z` : date));
  const steps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b), usual = steps[Math.floor(steps.length / 2)];
  if (usual !== DAY_MS) {
    const last = times[times.length - 1], length = dates[0].includes("T") ? 19 : 10;
    return Array.from({ length: count }, (_, i) => new Date(last + (i + 1) * usual).toISOString().slice(0, length));
  }
  const everyDay = dates.slice(-30).some((day) => [0, 6].includes(new Date(day).getUTCDay()));
  const out = [], day = new Date(dates[dates.length - 1]);
  while (out.length < count) {
    day.setUTCDate(day.getUTCDate() + 1);
    if (everyDay || ![0, 6].includes(day.getUTCDay())) out.push(day.toISOString().slice(0, 10));
  }
  return out;
}

function drawPrice(history, forecast) {
  const traces = [{ x: history.dates, y: history.close, name: "close", mode: "lines", line: { color: colour("accent"), width: 1.5 } }];
  if (forecast) {
    const last = history.close[history.close.length - 1], start = history.dates[history.dates.length - 1];
    const days = [start, ...nextDates(history.dates, forecast.horizon_bars)];
    for (const [z, opacity, name] of CONES) {
      const edge = (sign) => days.map((_, h) => last * Math.exp(sign * z * forecast.annualised * Math.sqrt(h / forecast.bars_per_year)));
      const line = { width: 0 }, hoverinfo = "skip";
      traces.push({ x: days, y: edge(1), mode: "lines", line, hoverinfo, showlegend: false });
      traces.push({ x: days, y: edge(-1), mode: "lines", line, fill: "tonexty", fillcolor: translucent("up", opacity), name });
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
    x: past.dates, y: past.outcome.map((name) => (name ? marks[name] : null)), text: past.outcome, name: "outcome", mode: "markers",
    marker: { size: 5, color: colour("ink"), line: { width: 1, color: colour("paper") } }, hovertemplate: "%{text}",
  });
  const known = past.outcome.filter(Boolean).length;
  let loss = 0, prior = 0;
  past.outcome.forEach((name, i) => { if (name) { loss -= Math.log(past[name][i]); prior -= Math.log(past.prior[name]); } });
  document.getElementById("direction-note").textContent =
    `${known} outcomes that the model had not seen: log loss ${(loss / known).toFixed(3)}, symbol's class prior ${(prior / known).toFixed(3)}. So few outcomes prove little.`;
  draw("direction", traces, { yaxis: { range: [0, 1], tickformat: ".0%" } });
}

function drawVolatility(past, level) {
  const line = { width: 0 }, hovertemplate = "%{y:.1%}";
  const traces = [
    { x: past.dates, y: past.high, mode: "lines", line, hoverinfo: "skip", showlegend: false },
    { x: past.dates, y: past.low, mode: "lines", line, fill: "tonexty", fillcolor: translucent("up", 0.18), name: "interval", hoverinfo: "skip" },
    { x: past.dates, y: past.annualised, mode: "lines", line: { color: colour("up"), width: 1.8 }, name: "forecast", hovertemplate },
    { x: past.dates, y: past.realised, mode: "markers", marker: { size: 4, color: colour("ink") }, name: "realised", hovertemplate },
  ];
  const inside = past.realised.map((value, i) => (value === null ? null : past.low[i] <= value && value <= past.high[i]));
  const known = inside.filter((value) => value !== null);
  const share = percent(known.filter(Boolean).length / Math.max(known.length, 1), 0);
  document.getElementById("volatility-note").textContent =
    `The interval contained ${share} of ${known.length} outcomes that the model had not seen; nominal ${percent(level, 0)}. Neighbouring horizons overlap.`;
  draw("volatility", traces, { yaxis: { tickformat: ".0%", rangemode: "tozero" } });
}

/* Such as "5 bars (5 hours)". */
function horizon({ horizon_bars: bars, horizon: words }) {
  const count = bars === 1 ? "bar" : `${bars} bars`;
  return words.endsWith("bars") || words.endsWith("bar") ? count : `${count} (${words})`;
}

function forecastCards(item) {
  const cards = [], { direction, volatility } = item;
  if (direction) {
    const card = make("section", undefined, "card");
    card.append(make("h2", `next ${horizon(direction)}`), probabilityBar(direction.probabilities));
    card.append(make("p", ["down", "sideways", "up"].map((name) => `${name} ${percent(direction.probabilities[name], 0)}`).join(", ")));
    card.append(make("p", `${percent(direction.level, 0)} set: ${direction.label_set.join(" or ")}`));
    card.append(make("p", `likeliest ${direction.label}, ${percent(direction.confidence)}`), ...remarkLines(direction));
    cards.push(card);
  }
  if (volatility) {
    const card = make("section", undefined, "card");
    card.append(make("h2", `volatility of the next ${horizon(volatility)}`), make("p", `${percent(volatility.annualised)} per year`, "verdict"));
    card.append(make("p", `${percent(volatility.level, 0)} interval: ${percent(volatility.low)} to ${percent(volatility.high)}`), ...remarkLines(volatility));
    cards.push(card);
  }
  return cards;
}

const remarkLines = (forecast) => remarks(forecast).map((text) => make("p", text, "problem"));

async function load() {
  document.title = `${SYMBOL} · Fleetcast`;
  document.getElementById("name").textContent = SYMBOL;
  const path = encodeURIComponent(SYMBOL);
  const [item, history, models] = await Promise.all([
    request(`/v1/predictions/${path}`), request(`/v1/history/${path}?bars=${BARS_SHOWN}`), request("/v1/models"),
  ]);
  if (item.as_of) document.getElementById("asof").textContent = `as of ${item.as_of.slice(0, 10)}, ${item.close.toLocaleString("en", { maximumSignificantDigits: 6 })}`;
  if (item.error) showError(item.error);
  else if (isStale(item)) showError({ message: `The newest bar is ${ageDays(item.as_of)} days old.` });
  document.getElementById("notes").textContent = item.notes.join("; ");
  document.getElementById("now").replaceChildren(...forecastCards(item));
  if (history.dates.length) drawPrice(history, item.volatility);
  if (history.direction && history.direction.dates.length) drawDirection(history.direction);
  if (history.volatility && history.volatility.dates.length) drawVolatility(history.volatility, models.find((model) => model.kind === "volatility").level);
  document.getElementById("models").replaceChildren(...models.map(skillCard));
}

load().catch(showError);
