"use strict";
/* Asks the server for its trading bots while the page is looked at, and says so when it does not answer. */

const RELOAD_MS = 10000, SKILL_MS = 60000, TIMES_MS = 5000;
let newest = null, drawn = "", askedSkill = -Infinity, skill = null;

function layoutOf(axes) {
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true, fixedrange: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("soft"), size: 12 }, showlegend: false,
    margin: { l: 56, r: 12, t: 8, b: 32 }, hovermode: "x unified", hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), font: { color: colour("ink") } },
    xaxis: { ...axis, type: "date", anchor: "y2", nticks: window.innerWidth < 600 ? 4 : 8 },
    yaxis: { ...axis, domain: [0.38, 1], ...axes.equity }, yaxis2: { ...axis, domain: [0, 0.28], ...axes.drawdown },
  };
}

function showEquity({ series }) {
  const note = document.getElementById("equity-note"), place = document.getElementById("equity"), steps = series.instant.length;
  place.hidden = steps < 2;
  note.textContent = steps < 2 ? "A chart needs two steps; one is made at each close of a bar." : `The last ${plural(steps, "step")}. Equity is in the account's currency; drawdown is the loss from its highest.`;
  const text = JSON.stringify([series, window.innerWidth, colour("ground")]);
  if (steps < 2 || text === drawn) return;
  drawn = text;
  const loss = colour("down").match(/\w\w/g).map((hex) => parseInt(hex, 16));
  Plotly.react(place, [
    { x: series.instant, y: series.equity, name: "equity", mode: "lines", line: { color: colour("accent"), width: 1.6 }, hovertemplate: "%{y:,.2f}" },
    { x: series.instant, y: series.drawdown, name: "drawdown", yaxis: "y2", mode: "lines", fill: "tozeroy", line: { color: colour("down"), width: 1 }, fillcolor: `rgba(${loss.join()},0.22)`, hovertemplate: "%{y:.2%}" },
  ], layoutOf({ equity: { tickformat: ",.5~s" }, drawdown: { tickformat: ".1%", rangemode: "tozero" } }), { displayModeBar: false, responsive: true });
}

/* The bot that the address names, else the first one. */
function chosen() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  return newest.bots.find((bot) => bot.bot === wanted) ?? newest.bots[0];
}

function showBots() {
  const place = document.getElementById("choice"), now = chosen();
  place.hidden = newest.bots.length < 2;
  const links = newest.bots.map((bot) => {
    const link = make("a", bot.bot, life(bot).state);
    link.href = `#${encodeURIComponent(bot.bot)}`;
    if (bot === now) link.setAttribute("aria-current", "page");
    return link;
  });
  const focused = [...place.children].indexOf(document.activeElement);
  place.replaceChildren(...links);
  links[focused]?.focus();
}

function showPage() {
  const message = document.getElementById("message"), bot = chosen();
  document.getElementById("desk").hidden = !bot;
  document.getElementById("models").hidden = false;
  message.hidden = Boolean(bot);
  message.textContent = "No bot has worked in this journal yet. Start one: fleetcast bot run";
  showBots();
  if (bot) {
    document.title = `${life(bot).title} · Fleetcast`;
    for (const part of [showHealth, showTiles, showAlerts, showSignals, showOrders, showPositions, showEquity, showTasks]) part(bot);
  }
  showTrials(newest);
  showTrainings(newest);
  if (skill) showSkill(skill, newest.bots);
}

/* What is on the page stays, with the time that it is of. */
function showFailure(error) {
  const place = document.getElementById("problem"), message = document.getElementById("message");
  if (error.code === "no_journal") {
    message.textContent = "This server records nothing, so it has no trading bots to show. Start it with: fleetcast serve --journal";
    return;
  }
  message.hidden = true;
  place.hidden = false;
  place.textContent = newest ? `No answer since ${utc(newest.at)}: ${reasonOf(error)}. The page shows what was known then.` : `The trading bots are not known: ${reasonOf(error)}.`;
  document.body.classList.toggle("stale", Boolean(newest));
}

async function loadSkill() {
  if (performance.now() - askedSkill < SKILL_MS) return;
  askedSkill = performance.now();
  try {
    skill = await request("/v1/monitoring");
    showSkill(skill, newest.bots);
  } catch (error) {
    const message = document.getElementById("skill-message");
    message.hidden = false;
    message.textContent = `Live skill is not known: ${reasonOf(error)}.`;
    askedSkill = -Infinity;
  }
}

async function load() {
  try {
    const found = await request("/v1/bot");
    serverClock.set(found.at);
    newest = found;
    document.getElementById("problem").hidden = true;
    document.body.classList.remove("stale");
  } catch (error) { showFailure(error); return; }
  showPage();
  await loadSkill();
}

const reload = () => { if (!document.hidden) load().catch(showError); };
load().catch(showError).finally(shown);
setInterval(reload, RELOAD_MS);
setInterval(() => { if (newest) refreshTimes(); }, TIMES_MS);
document.addEventListener("visibilitychange", reload);
window.addEventListener("hashchange", () => { if (newest) showPage(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (newest) showPage(); });
