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
  if (!response.ok && content.error && !content.symbol) throw Object.assign(new Error(content.error.message), { code: content.error.code });
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

/* An error of the server or of a script; one that suggests another symbol gets a link to it. */
function showError(error) {
  const place = document.getElementById("problem");
  place.textContent = error.message;
  if (error.suggestion) {
    const link = make("a", `${error.suggestion}?`), [before, ...after] = error.message.split(link.textContent);
    link.href = symbolPath(error.suggestion);
    place.replaceChildren(before, link, after.join(link.textContent));
  }
  place.hidden = false;
}

/* Marks the page as complete, for tests. */
const shown = () => { document.body.dataset.state = "shown"; };

const symbolPath = (symbol) => `/symbols/${encodeURIComponent(symbol)}`;

/* What is unusual about a forecast, in words; nothing for one of a model that was fitted on the symbol. */
function remarks(forecast) {
  const found = [];
  if (forecast.basis === "pooled") found.push("not trained on this symbol: pooled model");
  if (forecast.fallback) found.push("baseline forecast");
  return found;
}

const day = (date) => (date.endsWith("T00:00:00") ? date.slice(0, 10) : date.slice(0, 16).replace("T", " "));
const price = (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 });
const signedPercent = (value) => `${value < 0 ? "−" : "+"}${(100 * Math.abs(value)).toFixed(2)} %`;

/* The bars that a forecast is for: up to a date if the next trading days are known, else counted, such as "5 bars (5 hours)". */
function target(forecast, asOf) {
  const { horizon_bars: bars, horizon: words } = forecast, count = `${bars} bar${bars === 1 ? "" : "s"}`;
  if (!forecast.target_date) return `${/bars?$/.test(words) ? count : `${count} (${words})`} after ${day(asOf)}`;
  return bars === 1 ? `next bar, ${day(forecast.target_date)}` : `next ${bars} bars, to ${day(forecast.target_date)}`;
}

const band = ({ low_return, high_return }) => `sideways is ${signedPercent(low_return)} to ${signedPercent(high_return)}`;

/* Up to when a model's weights and calibration saw data, if its version has these dates. */
function dataEnds({ trained_to, calibrated_to }) {
  const parts = [];
  if (trained_to) parts.push(`weights saw data up to ${trained_to}`);
  if (calibrated_to) parts.push(`calibration up to ${calibrated_to}`);
  return parts.join(", ");
}

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

/* The kinds of models that pages show. */
const KINDS = ["direction", "volatility"];

/* A line for each kind of which no model is served. */
const missingKinds = (models) => KINDS.filter((kind) => !models.some((model) => model.kind === kind))
  .map((kind) => make("p", `${kind}: no model is served, because none is champion`));

/* The server's verdict on a model against its baselines, in words. */
function verdictText({ verdict, metrics, loss, loss_title: lossTitle, references }) {
  const { status, better_than: better, worse_than: worse } = verdict;
  if (status === "not tested") return "not tested against baselines";
  const list = (keys) => keys.map((key) => references[key] ?? key).join(", ");
  const isCompared = (key) => Number.isFinite(metrics[`${loss}_vs_${key}`]);
  const others = Object.keys(references).filter((key) => isCompared(key) && !better.includes(key) && !worse.includes(key));
  const isClear = (key) => Math.abs(metrics[`${loss}_vs_${key}`]) > 2 * metrics[`${loss}_vs_${key}_se`];
  const equal = others.filter((key) => !isClear(key)), small = others.filter(isClear);
  const parts = [];
  if (worse.length) parts.push(`WORSE than ${list(worse)}`);
  if (equal.length) parts.push(`no detectable edge over ${list(equal)}`);
  if (small.length) parts.push(`no edge that matters over ${list(small)}`);
  if (better.length) parts.push(`better than ${list(better)}`);
  return `by ${lossTitle}: ${parts.join("; ")}`;
}

const verdictSpan = (model) => make("span", verdictText(model), model.verdict.status === "worse" ? "verdict problem" : "verdict");

/* A model's metrics on the test period, folded under its verdict. */
function skillCard(model) {
  const { metrics: m, loss, baseline } = model, baselineTitle = model.references[baseline];
  const difference = m[`${loss}_vs_${baseline}`], error = m[`${loss}_vs_${baseline}_se`];
  const card = make("details", undefined, "card"), summary = make("summary", `${model.kind}: `);
  summary.append(verdictSpan(model));
  card.append(summary, make("p", `version ${model.version}`));
  const add = (text) => card.append(make("p", text, "figure"));
  if (dataEnds(model)) add(dataEnds(model));
  if (difference === undefined) { add("no metrics of a test period"); return card; }
  add(`${model.loss_title} ${m[loss].toFixed(4)}, ${baselineTitle} ${m[`${loss}_${baseline}`].toFixed(4)}: ${signed(difference)} ± ${error.toFixed(4)}`);
  if (m.up_down_accuracy !== undefined) {
    add(`up/down accuracy ${percent(m.up_down_accuracy)}, ${baselineTitle} ${percent(m.up_down_accuracy_prior)}: read the probabilities, not the labels`);
  }
  if (m.coverage !== undefined) add(`${model.coverage} contained ${percent(m.coverage)} of outcomes; nominal ${percent(model.level, 0)}`);
  const { test, train } = model.periods;
  if (train && test) add(`tested by weights trained up to ${train[1]}`);
  add(`${model.symbols} symbols${test ? `; untouched test period ${test[0]} to ${test[1]}, ${m.rows.toLocaleString("en")} forecasts` : ""}`);
  return card;
}
