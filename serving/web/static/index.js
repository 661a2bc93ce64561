"use strict";
const AT_ONCE = 1000, REFRESH_MS = 30000;
let items = [];
let order = { key: "symbol", down: false };

const VALUES = {
  symbol: (one) => one.symbol,
  as_of: (one) => one.as_of ?? "",
  close: (one) => one.close ?? -Infinity,
  up: (one) => (one.direction ? one.direction.probabilities.up - one.direction.probabilities.down : -Infinity),
  set: (one) => (one.direction ? one.direction.label_set.length : Infinity),
  volatility: (one) => (one.volatility ? one.volatility.annualised : -Infinity),
};

async function load() {
  const models = await ask("/v1/models");
  document.getElementById("models").replaceChildren(...models.map(skillCard));
  const symbols = (await ask("/v1/symbols")).map((one) => one.symbol);
  const found = [];
  for (let i = 0; i < symbols.length; i += AT_ONCE) {
    found.push(...(await ask("/v1/predictions", { symbols: symbols.slice(i, i + AT_ONCE) })).predictions);
  }
  items = found;
  document.getElementById("problem").hidden = true;
  show();
  const { status } = await ask("/v1/health/ready");
  const place = document.getElementById("state");
  place.textContent = status === "ok" ? "" : `${status}: see /v1/stats`;
  place.className = status === "ok" ? "" : "problem";
}

function show() {
  const wanted = document.getElementById("filter").value.trim().toUpperCase();
  const value = VALUES[order.key], sign = order.down ? -1 : 1;
  const chosen = items.filter((one) => one.symbol.toUpperCase().includes(wanted));
  chosen.sort((a, b) => sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  document.getElementById("rows").replaceChildren(...chosen.map(row));
  document.getElementById("count").textContent = `${chosen.length} of ${items.length} symbols`;
}

function row(one) {
  const line = make("tr");
  const link = make("a", one.symbol);
  link.href = `/symbols/${encodeURIComponent(one.symbol)}`;
  const first = make("td");
  first.append(link);
  const day = make("td", (one.as_of ?? "").slice(0, 10));
  if (one.as_of && ageDays(one.as_of) > STALE_DAYS) { day.className = "problem"; day.title = `${ageDays(one.as_of)} days old`; }
  line.append(first, day);
  line.append(make("td", one.close === null ? "" : one.close.toLocaleString("en", { maximumSignificantDigits: 6 }), "number"));
  const chances = make("td");
  if (one.direction) chances.append(probabilityBar(one.direction.probabilities));
  else if (one.error) { chances.textContent = one.error.message; chances.className = "problem"; }
  line.append(chances, make("td", one.direction ? one.direction.label_set.join(" or ") : ""));
  const volatility = make("td", one.volatility ? percent(one.volatility.annualised) : "", "number");
  if (one.volatility) volatility.append(make("span", `  ${percent(one.volatility.low, 0)} – ${percent(one.volatility.high, 0)}`, "range"));
  line.append(volatility);
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
load().catch(told);
setInterval(() => load().catch(told), REFRESH_MS);
