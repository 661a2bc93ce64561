"use strict";
const SYMBOLS_PER_REQUEST = 1000, REFRESH_MS = 30000;
let items = [];
let order = { key: "symbol", down: false };

const VALUES = {
  symbol: (item) => item.symbol,
  as_of: (item) => item.as_of ?? "",
  close: (item) => item.close ?? -Infinity,
  up: (item) => (item.direction ? item.direction.probabilities.up - item.direction.probabilities.down : -Infinity),
  set: (item) => (item.direction ? item.direction.label_set.length : Infinity),
  volatility: (item) => (item.volatility ? item.volatility.annualised : -Infinity),
};

async function load() {
  const models = await request("/v1/models");
  document.getElementById("models").replaceChildren(...models.map(skillCard));
  const symbols = (await request("/v1/symbols")).map((facts) => facts.symbol);
  const found = [];
  for (let i = 0; i < symbols.length; i += SYMBOLS_PER_REQUEST) {
    found.push(...(await request("/v1/predictions", { symbols: symbols.slice(i, i + SYMBOLS_PER_REQUEST) })).predictions);
  }
  items = found;
  document.getElementById("problem").hidden = true;
  show();
  const { status } = await request("/v1/health/ready");
  const place = document.getElementById("state");
  place.textContent = status === "ok" ? "" : `${status}: see /v1/stats`;
  place.className = status === "ok" ? "" : "problem";
}

function show() {
  const wanted = document.getElementById("filter").value.trim().toUpperCase();
  const value = VALUES[order.key], sign = order.down ? -1 : 1;
  const chosen = items.filter((item) => item.symbol.toUpperCase().includes(wanted));
  chosen.sort((a, b) => sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  document.getElementById("rows").replaceChildren(...chosen.map(row));
  document.getElementById("count").textContent = `${chosen.length} of ${items.length} symbols`;
}

function row(item) {
  const { direction, volatility } = item;
  const symbol = make("td"), link = make("a", item.symbol);
  link.href = `/symbols/${encodeURIComponent(item.symbol)}`;
  const unusual = new Set([direction, volatility].filter(Boolean).flatMap(remarks));
  symbol.append(link, ...[...unusual].map((text) => make("div", text, "range")));
  const date = make("td", (item.as_of ?? "").slice(0, 10));
  if (item.as_of && isStale(item)) { date.className = "problem"; date.title = `${ageDays(item.as_of)} days old`; }
  const close = make("td", item.close === null ? "" : item.close.toLocaleString("en", { maximumSignificantDigits: 6 }), "number");
  const probabilities = make("td");
  if (direction) probabilities.append(probabilityBar(direction.probabilities));
  else if (item.error) { probabilities.textContent = item.error.message; probabilities.className = "problem"; }
  const labels = make("td", direction ? direction.label_set.join(" or ") : "");
  const annualised = make("td", volatility ? percent(volatility.annualised) : "", "number");
  if (volatility) annualised.append(make("span", `  ${percent(volatility.low, 0)} – ${percent(volatility.high, 0)}`, "range"));
  const line = make("tr");
  line.append(symbol, date, close, probabilities, labels, annualised);
  return line;
}

for (const head of document.querySelectorAll("th[data-key]")) {
  head.onclick = () => {
    order = { key: head.dataset.key, down: order.key === head.dataset.key && !order.down };
    for (const other of document.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    show();
  };
}
document.getElementById("filter").oninput = show;
load().catch(showError);
setInterval(() => load().catch(showError), REFRESH_MS);
