"use strict";
/* The state of a bot in words, and numbers and times as a trading desk writes them. */

const DASH = "–";

/* The server's clock: times are compared with it, because a browser's clock may be wrong. */
const serverClock = {
  at: 0, since: 0,
  set(iso) { this.at = Date.parse(iso); this.since = performance.now(); },
  now() { return this.at + performance.now() - this.since; },
};

const utc = (iso) => `${new Date(iso).toISOString().slice(0, 16).replace("T", " ")} UTC`;
const sentence = (clause) => `${clause[0].toUpperCase()}${clause.slice(1)}.`;
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function ago(iso) {
  const seconds = (serverClock.now() - Date.parse(iso)) / 1000;
  return seconds < 0 ? `in ${duration(-seconds)}` : seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

/* A time that says how long ago it is, and by its title when exactly. */
function timeNode(iso) {
  if (!iso) return make("span", DASH);
  const node = make("time", ago(iso));
  node.dateTime = iso;
  node.title = utc(iso);
  return node;
}

function refreshTimes() {
  for (const node of document.querySelectorAll("time[datetime]")) node.textContent = ago(node.dateTime);
}

const money = (value) => (value === null ? DASH : value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).replace("-", "−"));
const signedMoney = (value) => (value > 0 ? "+" : "") + money(value);
const quantity = (value) => value.toLocaleString("en", { maximumFractionDigits: 4 }).replace("-", "−");
const share = (value, digits = 1) => (value === null ? DASH : `${value < 0 ? "−" : ""}${(100 * Math.abs(value)).toFixed(digits)} %`);
const signedShare = (value) => (value === null ? DASH : `${value < 0 ? "−" : "+"}${(100 * Math.abs(value)).toFixed(2)} %`);
const gainClass = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");

/* Whether a bot is alive, idle (nothing runs it between scans) or dead, and one line that says so. */
function life(bot) {
  if (bot.healthy) return { state: "alive", title: `Bot ${bot.bot} is alive` };
  if (bot.stopped_at) return { state: "idle", title: `Bot ${bot.bot} was stopped` };
  const scanned = bot.last_scan !== null && bot.silent_periods < 2;
  if (scanned) return { state: "idle", title: `Bot ${bot.bot} is not running` };
  if (bot.holder && bot.last_scan === null) return { state: "idle", title: `Bot ${bot.bot} has not scanned yet` };
  const silent = bot.problems.find((text) => text.startsWith("no scan"));
  return { state: "dead", title: `Bot ${bot.bot} is dead: ${silent ?? bot.problems[0]}` };
}

/* What a connection that fails is called; the server's own errors say it themselves. */
const reasonOf = (error) => (error instanceof TypeError || error instanceof SyntaxError ? "the server does not answer" : error.message);
