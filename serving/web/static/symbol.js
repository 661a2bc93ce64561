"use strict";
const SYMBOL = decodeURIComponent(location.pathname.slice("/symbols/".length));
const BARS_SHOWN = 250, NARROW = window.innerWidth < 600;
const PRICES_SHOWN = NARROW ? 60 : BARS_SHOWN; // on a phone the cone of a few bars would be invisible after a year of prices
const CONES = [[1.645, 0.15, "90 %"], [0.674, 0.3, "50 %"]]; // normal quantile, opacity, probability

function layout(extra) {
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("soft"), size: 12 },
    margin: { l: NARROW ? 40 : 56, r: 12, t: 12, b: 32 }, hovermode: "x unified", showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal" },
    ...extra, xaxis: { ...axis, tickangle: 0, nticks: NARROW ? 4 : 8, ...extra.xaxis }, yaxis: { ...axis, ...extra.yaxis },
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

/* The dates of the horizon's bars, evenly spaced up to its last one: the known target, or as far as past bars are apart. */
function horizonDates(history, forecast) {
  const start = new Date(history.dates.at(-1)).getTime(), bars = forecast.horizon_bars;
  const before = history.dates.slice(-31), past = (start - new Date(before[0])) / Math.max(before.length - 1, 1);
  const end = forecast.target_date ? new Date(`${forecast.target_date}Z`).getTime() : start + bars * past;
  return Array.from({ length: bars + 1 }, (_, h) => new Date(start + (h / bars) * (end - start)).toISOString().slice(0, 16));
}

function drawPrice(history, forecast) {
  const traces = [{ x: history.dates.slice(-PRICES_SHOWN), y: history.close.slice(-PRICES_SHOWN), name: "close", mode: "lines", line: { color: colour("accent"), width: 1.5 } }];
  if (forecast) {
    const last = history.close.at(-1), days = horizonDates(history, forecast);
    for (const [z, opacity, name] of CONES) {
      const edge = (sign) => days.map((_, h) => last * Math.exp(sign * z * forecast.annualised * Math.sqrt(h / forecast.bars_per_year)));
      const line = { width: 0 }, hoverinfo = "skip";
      traces.push({ x: days, y: edge(1), mode: "lines", line, hoverinfo, showlegend: false });
      traces.push({ x: days, y: edge(-1), mode: "lines", line, fill: "tonexty", fillcolor: translucent("up", opacity), name });
    }
  }
  draw("price", traces, { yaxis: { title: { text: "price" } } });
}

/* Says in place of a chart why there is none: a model is judged only by outcomes that it had not seen. */
function explainMissing(id) {
  document.getElementById(`${id}-chart`).hidden = false;
  document.getElementById(`${id}-note`).textContent = "No outcome yet that the model had not seen.";
  document.getElementById(id).hidden = true;
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
  if (!known) { explainMissing("direction"); return; }
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
  if (!known.length) { explainMissing("volatility"); return; }
  const share = percent(known.filter(Boolean).length / Math.max(known.length, 1), 0);
  document.getElementById("volatility-note").textContent =
    `The interval contained ${share} of ${known.length} outcomes that the model had not seen; nominal ${percent(level, 0)}. Neighbouring horizons overlap.`;
  draw("volatility", traces, { yaxis: { tickformat: ".0%", rangemode: "tozero" } });
}

/* The forecasts, each with its bars, its band or interval, the model's verdict and what the model saw. */
function forecastCards(item, models) {
  const cards = [], { direction, volatility } = item;
  const card = (kind, forecast, ...lines) => {
    const node = make("section", undefined, "card"), model = models.find((one) => one.kind === kind);
    node.append(make("h2", `${kind}: ${target(forecast, item.as_of)}`), ...lines, ...remarkLines(forecast));
    if (model) { node.append(make("p", "on the test period: ")); node.lastChild.append(verdictSpan(model)); }
    if (dataEnds(forecast)) node.append(make("p", dataEnds(forecast)));
    cards.push(node);
  };
  if (direction) {
    const chances = ["down", "sideways", "up"].map((name) => `${name} ${percent(direction.probabilities[name], 0)}`).join(", ");
    const lines = [probabilityBar(direction.probabilities), make("p", chances)];
    if (direction.band) lines.push(make("p", `${band(direction.band)}, closes of ${price(direction.band.low_price)} to ${price(direction.band.high_price)}`));
    lines.push(make("p", `${percent(direction.level, 0)} set: ${direction.label_set.join(" or ")}`));
    lines.push(make("p", `likeliest ${direction.label}, ${percent(direction.confidence)}`));
    card("direction", direction, ...lines);
  }
  if (volatility) {
    const interval = `${percent(volatility.level, 0)} interval: ${percent(volatility.low)} to ${percent(volatility.high)}`;
    card("volatility", volatility, make("p", `${percent(volatility.annualised)} per year`, "verdict"), make("p", interval));
  }
  return cards;
}

const remarkLines = (forecast) => remarks(forecast).map((text) => make("p", text, "problem"));

async function load() {
  document.title = `${SYMBOL} · Fleetcast`;
  document.getElementById("name").textContent = SYMBOL;
  const path = encodeURIComponent(SYMBOL);
  const [item, models] = await Promise.all([request(`/v1/predictions/${path}`), request("/v1/models")]);
  if (item.as_of) document.getElementById("asof").textContent = `${price(item.close)} on ${day(item.as_of)}`;
  if (item.error) showError(item.error);
  const notes = document.getElementById("notes");
  notes.replaceChildren(...item.notes.map((text) => make("li", text)));
  notes.className = item.stale ? "problem" : "range";
  document.getElementById("now").replaceChildren(...forecastCards(item, models), ...sourcesCards(item.sources));
  document.getElementById("models").replaceChildren(...models.map(skillCard), ...missingKinds(models));
  if (!item.error || item.error.code !== "unknown_symbol") drawHistory(await request(`/v1/history/${path}?bars=${BARS_SHOWN}`), item, models);
}

function drawHistory(history, item, models) {
  if (history.dates.length) drawPrice(history, item.volatility);
  const hasPast = (kind) => Boolean(history[kind] && history[kind].dates.length);
  if (hasPast("direction")) drawDirection(history.direction);
  else if (item.direction) explainMissing("direction");
  if (hasPast("volatility")) drawVolatility(history.volatility, models.find((model) => model.kind === "volatility").level);
  else if (item.volatility) explainMissing("volatility");
}

load().catch(showError).finally(shown);
