"use strict";
/* Requests to the server, and what both pages share. Text from the server is only ever set as text. */

const KEY = "fleetcast-api-key";

async function request(path, body) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  const content = await response.json();
  if (response.status === 401) { askForKey(); throw new Error("an API key is needed"); }
  if (!response.ok && content.error && !content.symbol) throw new Error(content.error.message);
  return content;
}

function askForKey() {
  const form = document.getElementById("key-form");
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, form.elements.key.value.trim());
    location.reload();
  };
}

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function showError(error) {
  const place = document.getElementById("problem");
  place.textContent = error.message;
  place.hidden = false;
}

/* What is unusual about a forecast, in words; nothing for one of a model that was fitted on the symbol. */
function remarks(forecast) {
  const found = [];
  if (forecast.basis === "pooled") found.push("not trained on this symbol: pooled model");
  if (forecast.fallback) found.push("baseline forecast");
  return found;
}

const STALE_DAYS = 7;
/* A week without a bar is stale, and of weekly bars and longer two of them. */
const isStale = (item) => ageDays(item.as_of) > Math.max(STALE_DAYS, item.volatility ? (2 * 365) / item.volatility.bars_per_year : 0);
const ageDays = (asOf) => Math.floor((Date.now() - new Date(asOf)) / 86400000);
const percent = (value, digits = 1) => `${(100 * value).toFixed(digits)} %`;
const signed = (value, digits = 4) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function probabilityBar(probabilities) {
  const bar = make("div", undefined, "bar");
  bar.title = ["down", "sideways", "up"].map((name) => `${name} ${percent(probabilities[name])}`).join(", ");
  for (const name of ["down", "sideways", "up"]) {
    const part = make("span", probabilities[name] > 0.12 ? Math.round(100 * probabilities[name]) : "", name);
    part.style.width = `${100 * probabilities[name]}%`;
    bar.append(part);
  }
  return bar;
}

/* The headline metric of each kind, its baseline, and the name of the sets whose coverage is shown. */
const KINDS = {
  direction: { metric: "log_loss", metricName: "log loss", baseline: "prior", baselineName: "the class prior", sets: "label sets" },
  volatility: { metric: "qlike", metricName: "QLIKE", baseline: "log_har_pooled", baselineName: "pooled log-HAR", sets: "intervals" },
};

/* A model's metrics on the test period, with its baseline's, the paired difference and its standard error. */
function skillCard(model) {
  const { metric, metricName, baseline, baselineName, sets } = KINDS[model.kind];
  const m = model.metrics, difference = m[`${metric}_vs_${baseline}`], error = m[`${metric}_vs_${baseline}_se`];
  const card = make("section", undefined, "card");
  card.append(make("h2", `${model.kind} · version ${model.version}`));
  if (difference === undefined) { card.append(make("p", "no metrics of a test period")); return card; }
  const significant = Math.abs(difference) > 1.96 * error;
  const verdict = !significant ? `no detectable edge over ${baselineName}` : `${difference < 0 ? "better" : "WORSE"} than ${baselineName} on average`;
  card.append(make("p", verdict, "verdict"));
  const figures = `${metricName} ${m[metric].toFixed(4)}, ${baselineName} ${m[`${metric}_${baseline}`].toFixed(4)}: ${signed(difference)} ± ${error.toFixed(4)}`;
  card.append(make("p", figures, "figure"));
  if (m.up_down_accuracy !== undefined) {
    const own = percent(m.up_down_accuracy), other = percent(m.up_down_accuracy_prior);
    card.append(make("p", `up/down accuracy ${own}, ${baselineName} ${other}: read the probabilities, not the labels`, "figure"));
  }
  if (m.coverage !== undefined) {
    card.append(make("p", `${sets} contained ${percent(m.coverage)} of outcomes; nominal ${percent(model.level, 0)}`, "figure"));
  }
  const test = model.periods.test;
  card.append(make("p", `${model.symbols} symbols${test ? `; untouched test period ${test[0]} to ${test[1]}, ${m.rows.toLocaleString("en")} forecasts` : ""}`));
  return card;
}
