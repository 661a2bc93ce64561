"use strict";
/* Asking the server, and what both pages have in common. Text from the server is only ever set as text. */

const KEY = "fleetcast-api-key";

async function ask(path, body) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  const found = await answer.json();
  if (answer.status === 401) { askForKey(); throw new Error("an API key is needed"); }
  if (!answer.ok && found.error && !found.symbol) throw new Error(found.error.message);
  return found;
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

function told(error) {
  const place = document.getElementById("problem");
  place.textContent = error.message;
  place.hidden = false;
}

const STALE_DAYS = 7;
const ageDays = (asOf) => Math.floor((Date.now() - new Date(asOf)) / 86400000);
const percent = (value, digits = 1) => `${(100 * value).toFixed(digits)} %`;
const signed = (value, digits = 4) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function probabilityBar(chances) {
  const bar = make("div", undefined, "bar");
  bar.title = ["down", "sideways", "up"].map((name) => `${name} ${percent(chances[name])}`).join(", ");
  for (const name of ["down", "sideways", "up"]) {
    const part = make("span", chances[name] > 0.12 ? Math.round(100 * chances[name]) : "", name);
    part.style.width = `${100 * chances[name]}%`;
    bar.append(part);
  }
  return bar;
}

/* What a model has shown on the test period, beside its baseline, with the paired difference and its standard error. */
function skillCard(model) {
  const direction = model.kind === "direction";
  const [key, baseline] = direction ? ["log_loss", "prior"] : ["qlike", "log_har_pooled"];
  const [name, rival] = direction ? ["log loss", "the class prior"] : ["QLIKE", "pooled log-HAR"];
  const m = model.metrics, difference = m[`${key}_vs_${baseline}`], error = m[`${key}_vs_${baseline}_se`];
  const card = make("section", undefined, "card");
  card.append(make("h2", `${model.kind} · version ${model.version}`));
  if (difference === undefined) { card.append(make("p", "no figures of a test period")); return card; }
  const far = Math.abs(difference) > 1.96 * error;
  const verdict = !far ? `no detectable edge over ${rival}` : `${difference < 0 ? "better" : "WORSE"} than ${rival} on average`;
  card.append(make("p", verdict, "verdict"));
  const figures = `${name} ${m[key].toFixed(4)}, ${rival} ${m[`${key}_${baseline}`].toFixed(4)}: ${signed(difference)} ± ${error.toFixed(4)}`;
  card.append(make("p", figures, "figure"));
  if (direction && m.up_down_accuracy !== undefined) {
    const own = percent(m.up_down_accuracy), other = percent(m.up_down_accuracy_prior);
    card.append(make("p", `up/down accuracy ${own}, ${rival} ${other}: labels say little, read the probabilities`, "figure"));
  }
  if (m.coverage !== undefined) {
    card.append(make("p", `${direction ? "label sets" : "intervals"} held ${percent(m.coverage)} of outcomes, ${percent(model.level, 0)} are meant`, "figure"));
  }
  const test = model.periods.test;
  card.append(make("p", `${model.symbols} symbols${test ? `; untouched test period ${test[0]} to ${test[1]}, ${m.rows.toLocaleString("en")} forecasts` : ""}`));
  return card;
}
