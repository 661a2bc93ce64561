"use strict";
/* What the page shows of a bot: its health, account, alerts, signals, positions and tasks; and the trials of versions. */

const STALLED_S = 900; // after which a task in progress has the reader's attention
const NOTES_SHOWN = 10;

function showHealth(bot) {
  const { state, title } = life(bot), place = document.getElementById("health");
  const head = make("h2", title), facts = make("p");
  place.className = `card health ${state}`;
  const others = bot.problems.filter((text) => !title.includes(text));
  const fact = (name, ...values) => {
    const node = make("span", `${name} `, "fact");
    node.append(...values);
    facts.append(node);
  };
  fact("last scan", timeNode(bot.last_scan), ` (${bot.schedule ?? `about every ${duration(bot.scan_period_s)}`})`);
  if (bot.next_scan) fact("next", timeNode(bot.next_scan));
  const beat = bot.tasks.find((task) => task.task === "heartbeat");
  if (beat) fact("heartbeat", timeNode(beat.finished_at ?? beat.started_at));
  fact("led by", bot.holder ? `${bot.holder}` : "no process");
  if (bot.step) fact("bars to", utc(bot.step.instant));
  if (bot.strategy) fact("strategy", bot.strategy);
  place.replaceChildren(head, ...others.map((text) => make("p", sentence(text), "problem")), facts, ...noteLines(bot.step).map((text) => make("p", text, "problem")));
}

/* What was unusual about the newest step. */
function noteLines(step) {
  const notes = step?.notes ?? {}, lines = [];
  for (const text of Object.values(notes.stopped ?? {})) lines.push(`Trading is stopped: ${text}.`);
  const late = Object.entries(notes.late ?? {});
  for (const [symbol, reason] of late.slice(0, NOTES_SHOWN)) lines.push(`${symbol} was left out: ${reason}.`);
  if (late.length > NOTES_SHOWN) lines.push(`${plural(late.length - NOTES_SHOWN, "symbol")} more were left out.`);
  if (notes.dropped_orders) lines.push(`${plural(notes.dropped_orders, "order")} dropped, more than bot.protections.max_orders.`);
  return lines;
}

function showTiles(bot) {
  const account = bot.account, place = document.getElementById("tiles"), tiles = [];
  const tile = (name, text, hint, className) => {
    const box = make("div", undefined, "tile");
    box.append(make("dt", name), make("dd", text, className));
    if (hint) box.append(make("dd", hint, "hint"));
    tiles.push(box);
  };
  if (account) {
    const earned = account.equity - bot.began.equity, ofEquity = (value) => `${share(value / account.equity)} of equity`;
    tile("equity", money(account.equity), "account's currency");
    tile("last step", signedShare(account.daily_return), "return", gainClass(account.daily_return));
    tile("since the first step", signedMoney(earned), `${signedShare(earned / bot.began.equity)} since ${bot.began.instant.slice(0, 10)}`, gainClass(earned));
    tile("drawdown", share(account.drawdown, 2), "from highest equity", gainClass(account.drawdown));
    tile("gross exposure", money(account.gross), ofEquity(account.gross));
    tile("net exposure", money(account.net), ofEquity(account.net));
    tile("cash", money(account.cash), ofEquity(account.cash));
  }
  place.replaceChildren(...tiles);
}

function showAlerts(bot) {
  const place = document.getElementById("alerts");
  if (!bot.alerts.length) { place.replaceChildren(make("p", "No condition is open.", "notice")); return; }
  const items = bot.alerts.map((alert) => {
    const item = make("li", undefined, alert.severity), about = make("p", undefined, "range");
    about.append(`${alert.severity}, since `, timeNode(alert.since));
    item.append(make("strong", alert.title), about);
    if (alert.body) item.append(make("p", alert.body, "body"));
    return item;
  });
  const list = make("ul", undefined, "alerts");
  list.append(...items);
  const more = bot.alerts_count - items.length;
  place.replaceChildren(list, ...(more > 0 ? [make("p", `and ${plural(more, "alert")} more: fleetcast alerts list --state open`, "range")] : []));
}

function showSignals(bot) {
  const pill = (row) => make("span", row.action, `pill ${row.action}`);
  const said = (row) => (row.reasons.length ? row.reasons.join("; ") : row.position_size ? "every condition of the strategy is met" : DASH);
  const rank = { buy: 0, sell: 1, hold: 2, none: 3 };
  const trades = bot.signals.filter((row) => row.action === "buy" || row.action === "sell").length;
  const cut = bot.signals_count > bot.signals.length ? ` The first ${bot.signals.length.toLocaleString("en")} are shown.` : "";
  showLedger("signals", {
    rows: bot.signals, key: (row) => row.symbol, empty: "No step has been made yet, so there are no signals.",
    note: `${plural(trades, "order")} for the next bar, ${plural(bot.signals_count, "symbol")}.${cut} Weights are shares of equity to hold from the next bar on; volatility is per year.`,
    columns: [
      column("symbol", (row) => row.symbol, (row) => symbolLink(row.symbol)),
      column("action", (row) => rank[row.action], pill),
      column("direction", (row) => row.direction),
      column("confidence", (row) => row.confidence, (row) => share(row.confidence), { number: true, hint: "probability of the direction" }),
      column("weight", (row) => row.position_size, (row) => share(row.position_size), { number: true, hint: "share of equity" }),
      column("stop", (row) => row.stop, (row) => (row.stop === null ? DASH : price(row.stop)), { number: true, hint: "price" }),
      column("target", (row) => row.take_profit, (row) => (row.take_profit === null ? DASH : price(row.take_profit)), { number: true, hint: "price" }),
      column("volatility", (row) => row.volatility, (row) => share(row.volatility), { number: true, hint: "forecast, per year" }),
      column("regime", (row) => row.regime),
      column("reasons", (row) => row.reasons.join("; "), said, { wide: true }),
    ],
  });
}

function showOrders(bot) {
  const pill = (row) => make("span", row.side, `pill ${row.side}`);
  const where = (row) => (row.fills_at ? `next bar's ${row.fills_at === "vwap" ? "average price" : row.fills_at}` : "next bar");
  const cut = bot.orders_count > bot.orders.length ? ` The first ${bot.orders.length.toLocaleString("en")} of ${bot.orders_count.toLocaleString("en")} are shown.` : "";
  showLedger("orders", {
    rows: bot.orders, key: (row) => `${row.symbol} ${row.decided_at}`, empty: "No order waits.",
    note: `An order waits until its symbol has its next bar.${cut}`,
    columns: [
      column("symbol", (row) => row.symbol, (row) => symbolLink(row.symbol)),
      column("side", (row) => row.side, pill),
      column("units", (row) => row.quantity, (row) => quantity(row.quantity), { number: true, hint: "not filled yet" }),
      column("decided at", (row) => row.decided_at, (row) => utc(row.decided_at), { hint: "close of the bar", long: true }),
      column("fills at", where, (row) => `${where(row)}${row.is_partly_filled ? ", the rest of an order" : ""}`, { long: true }),
      column("reason", (row) => row.reason, undefined, { wide: true }),
    ],
  });
}

function showPositions(bot) {
  const total = (row) => row.realised_pnl + row.unrealised_pnl - row.costs, equity = bot.account?.equity ?? null;
  const profit = (title, value, hint) => column(title, value, (row) => signedMoney(value(row)), { number: true, hint, className: (row) => gainClass(value(row)) });
  const cut = bot.positions_count > bot.positions.length ? ` The first ${bot.positions.length.toLocaleString("en")} of ${bot.positions_count.toLocaleString("en")} are shown.` : "";
  showLedger("positions", {
    rows: bot.positions, key: (row) => row.symbol, empty: "Nothing has been bought or sold yet.",
    note: `Amounts are in the account's currency. Profit = realised + unrealised − costs.${cut}`,
    columns: [
      column("symbol", (row) => row.symbol, (row) => symbolLink(row.symbol)),
      column("units", (row) => row.quantity, (row) => quantity(row.quantity), { number: true, hint: "negative: sold short" }),
      column("mark", (row) => row.mark, (row) => (row.mark === null ? DASH : price(row.mark)), { number: true, hint: "newest close" }),
      column("value", (row) => row.value, (row) => money(row.value), { number: true }),
      column("of equity", (row) => row.value, (row) => (equity ? share(row.value / equity) : DASH), { number: true }),
      profit("unrealised", (row) => row.unrealised_pnl),
      profit("realised", (row) => row.realised_pnl),
      profit("profit", total, "after costs"),
      column("costs", (row) => row.costs, (row) => money(row.costs), { number: true }),
    ],
  });
}

function showTasks(bot) {
  const took = (row) => (row.finished_at ? (Date.parse(row.finished_at) - Date.parse(row.started_at)) / 1000 : null);
  const late = (row) => !row.finished_at && (serverClock.now() - Date.parse(row.started_at)) / 1000 > STALLED_S;
  const outcome = (row) => (row.outcome ?? (bot.holder && !late(row) ? "running" : "not finished"));
  showLedger("tasks", {
    rows: bot.tasks, key: (row) => row.task, empty: "No task has run yet.",
    columns: [
      column("task", (row) => row.task),
      column("last run", (row) => row.started_at, (row) => timeNode(row.started_at)),
      column("outcome", outcome, outcome, { className: (row) => (row.outcome === "done" || outcome(row) === "running" ? "" : "problem") }),
      column("took", took, (row) => (took(row) === null ? DASH : `${took(row).toFixed(1)} s`), { number: true }),
      column("missed", (row) => row.missed, (row) => row.missed.toLocaleString("en"), { number: true, hint: "times before it at which the task was due and did not run" }),
      column("error", (row) => row.error, (row) => row.error ?? DASH, { wide: true }),
    ],
  });
}

function showTrials(found) {
  showLedger("trials", {
    rows: found.shadows, key: (row) => `${row.kind} ${row.shadow} ${row.since}`, empty: "No champion has been replaced since the bot began.",
    note: "The former champion goes on forecasting; when the evidence that the new one is worse is large enough (1 / retrain.alpha), it comes back by itself.",
    columns: [
      column("kind", (row) => row.kind),
      column("new champion", (row) => row.champion, undefined, { long: true }),
      column("former champion", (row) => row.shadow, undefined, { long: true }),
      column("since", (row) => row.since, (row) => timeNode(row.since)),
      column("days", (row) => row.n_days, (row) => row.n_days.toLocaleString("en"), { number: true, hint: "days with outcomes" }),
      column("evidence", (row) => row.log_e, (row) => Math.exp(row.log_e).toPrecision(3), { number: true, hint: "1 is none" }),
      column("verdict", (row) => row.verdict ?? "on trial", undefined, { className: (row) => (/^rolled back/.test(row.verdict ?? "") ? "problem" : "") }),
    ],
  });
}

function showTrainings(found) {
  const result = (row) => (row.error ? `failed: ${row.error}` : row.finished_at === null ? "in progress" : row.promoted ? "champion" : "not promoted");
  showLedger("trainings", {
    rows: found.retrainings, key: (row) => row.id, empty: "The bot has trained nothing yet.",
    columns: [
      column("kind", (row) => row.kind),
      column("started", (row) => row.started_at, (row) => timeNode(row.started_at)),
      column("version", (row) => row.version, undefined, { long: true }),
      column("symbols", (row) => row.symbols, (row) => row.symbols.toLocaleString("en"), { number: true }),
      column("result", result, undefined, { wide: true, className: (row) => (row.error ? "problem" : "") }),
      column("reason", (row) => row.reason, undefined, { wide: true }),
    ],
  });
}
