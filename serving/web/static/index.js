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
  await showBots();
  const models = await request("/v1/models");
  const open = [...document.querySelectorAll("#models details")].map((card) => card.open);
  document.getElementById("models").replaceChildren(...models.map(skillCard));
  document.querySelectorAll("#models details").forEach((card, i) => { card.open = open[i] ?? false; });
  document.getElementById("verdicts").replaceChildren(...models.map(verdictLine), ...missingKinds(models));
  const symbols = (await request("/v1/symbols")).map((facts) => facts.symbol);
  const found = [];
  for (let i = 0; i < symbols.length; i += SYMBOLS_PER_REQUEST) {
    found.push(...(await request("/v1/predictions", { symbols: symbols.slice(i, i + SYMBOLS_PER_REQUEST) })).predictions);
  }
  await showReport();
  items = found;
  document.getElementById("problem").hidden = true;
  show();
  const { status } = await request("/v1/health/ready");
  const place = document.getElementById("state");
  place.textContent = status === "ok" ? "" : status;
  place.className = status === "ok" ? "" : "problem";
  const problems = status === "ok" ? [] : await healthProblems();
  document.getElementById("notes").replaceChildren(...problems.map((text) => make("li", text)));
}

/* The link to the newest tear sheet. A browser sends no API key with a link, so with a key the file is downloaded. */
async function showReport() {
  const [newest] = await request("/v1/reports"), link = document.getElementById("report");
  link.hidden = !newest;
  if (!newest) return;
  link.title = `made ${day(newest.created)} UTC`;
  const key = sessionStorage.getItem(KEY);
  link.onclick = key && ((event) => { event.preventDefault(); download(link.href, newest.name, key).catch(showError); });
}

/* One line for each trading bot; a server without a journal has none, and a database that is down hides nothing else. */
async function showBots() {
  const place = document.getElementById("bots"), link = document.getElementById("bot-link");
  try {
    const found = await request("/v1/bot");
    serverClock.set(found.at);
    place.replaceChildren(...found.bots.map(botLine));
    link.hidden = false;
  } catch (error) {
    if (!error.code) throw error;
    const known = error.code !== "no_journal";
    link.hidden = !known;
    place.replaceChildren(...(known ? [make("p", `The trading bots are not known: ${error.message}`, "problem")] : []));
  }
}

function botLine(bot) {
  const { state, title } = life(bot), line = make("p", undefined, `card strip ${state}`), link = make("a", title);
  link.href = `/bot#${encodeURIComponent(bot.bot)}`;
  const trades = bot.signals.filter((row) => row.action === "buy" || row.action === "sell").length;
  const facts = [`${plural(trades, "order")} for the next bar`, plural(bot.alerts_count, "open alert")];
  if (bot.account) facts.unshift(`equity ${money(bot.account.equity)} (${signedShare(bot.account.daily_return)})`);
  const scan = make("span", "last scan ");
  scan.append(timeNode(bot.last_scan));
  line.append(link, scan, ...facts.map((text) => make("span", text)));
  return line;
}

async function download(path, name, key) {
  const response = await fetch(path, { headers: { Authorization: `Bearer ${key}` } });
  if (!response.ok) throw new Error((await response.json()).error.message);
  const file = make("a");
  file.href = URL.createObjectURL(await response.blob());
  file.download = name;
  file.click();
  URL.revokeObjectURL(file.href);
}

/* Why the server, or one of its shards, is stale or degraded. */
async function healthProblems() {
  const stats = await request("/v1/stats");
  return [...new Set((stats.shards ?? [stats]).flatMap((part) => part.health.problems))];
}

function verdictLine(model) {
  const line = make("p", `${model.kind}: `);
  line.append(verdictSpan(model));
  return line;
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
  link.href = symbolPath(item.symbol);
  const unusual = new Set([direction, volatility].filter(Boolean).flatMap(remarks));
  symbol.append(link, ...[...unusual].map((text) => make("div", text, "range")));
  const date = make("td", item.as_of ? day(item.as_of) : "", "date");
  if (item.stale) { date.classList.add("problem"); date.title = item.error ? item.error.message : item.notes.at(-1); }
  const close = make("td", item.close === null ? "" : price(item.close), "number price");
  const probabilities = make("td", undefined, "chances");
  if (direction) probabilities.append(probabilityBar(direction.probabilities));
  else if (item.error) { probabilities.textContent = item.error.message; probabilities.classList.add("problem"); }
  const labels = make("td", direction ? direction.label_set.join(" or ") : "", "labels");
  if (direction) {
    probabilities.append(make("div", target(direction, item.as_of), "range"));
    if (direction.band) labels.append(make("div", band(direction.band), "range"));
  }
  const annualised = make("td", volatility ? percent(volatility.annualised) : "", "number annualised");
  if (volatility) {
    annualised.append(make("span", `  ${percent(volatility.low, 0)} – ${percent(volatility.high, 0)}`, "range"));
    annualised.append(make("div", target(volatility, item.as_of), "range"));
  }
  const line = make("tr");
  line.append(symbol, date, close, probabilities, labels, annualised);
  return line;
}

for (const head of document.querySelectorAll("th[data-key]")) {
  head.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); head.click(); } };
  head.onclick = () => {
    order = { key: head.dataset.key, down: order.key === head.dataset.key && !order.down };
    for (const other of document.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    show();
  };
}
document.getElementById("filter").oninput = show;
load().catch(showError).finally(shown);
setInterval(() => load().catch(showError), REFRESH_MS);
