"use strict";
/* Live skill next to baselines, with the state of each sequential test; sentences and figures are the server's. */

/* How far the evidence of a test is on its way to an alarm, on a scale of its logarithm: 0 is none, 1 alarms. */
const wayToAlarm = ({ evidence, threshold }) => Math.min(1, Math.max(0, Math.log(Math.max(evidence, 1)) / Math.log(threshold)));

function testLine(test, text) {
  const line = make("div", undefined, test.alarm ? "test problem" : "test"), meter = make("div", undefined, "meter"), filled = make("span");
  filled.style.width = `${100 * (test.alarm ? 1 : wayToAlarm(test))}%`;
  meter.append(filled);
  meter.title = `evidence ${test.evidence?.toPrecision(3) ?? "unknown"}, at most ${test.peak?.toPrecision(3) ?? "unknown"}; alarm at ${test.threshold}`;
  line.append(make("p", sentence(text)), meter);
  return line;
}

function scoresTable({ headings, rows }) {
  const table = make("table", undefined, "figures"), titles = make("tr"), head = make("thead"), body = make("tbody"), box = make("div", undefined, "scroll");
  titles.append(...headings.map((text, place) => make("th", text, place ? "number" : "")));
  head.append(titles);
  body.append(...rows.map((cells) => {
    const line = make("tr");
    line.append(...cells.map((text, place) => make("td", text, place ? "number" : "")));
    return line;
  }));
  table.append(head, body);
  box.append(table);
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Live figures next to baselines");
  return box;
}

/* Feature drift is judged by the bot, which raises a condition for it. */
function driftLine(kind, bots) {
  const open = bots.flatMap((bot) => bot.alerts).find((alert) => alert.event === "drift" && alert.key === kind);
  if (open) return make("p", `${open.title}. ${open.body}`, "problem");
  const runs = bots.flatMap((bot) => bot.tasks).filter((task) => task.task === "monitoring" && task.finished_at);
  if (!runs.length) return make("p", "Feature drift is judged by the bot's task monitoring, which has not run yet.");
  const line = make("p", "No alarm of feature drift; judged ");
  line.append(timeNode(runs.map((run) => run.finished_at).sort().at(-1)), ".");
  return line;
}

function kindCard(report, words, bots) {
  const card = make("section", undefined, "card"), left = make("div"), right = make("div");
  const version = bots.map((bot) => bot.step?.notes.versions?.[report.kind]).find(Boolean) ?? report.version;
  const summary = words.summary.slice(words.summary.indexOf(": ") + 2);
  left.append(...report.tests.map((test) => testLine(test, words.tests[test.name])));
  right.append(driftLine(report.kind, bots), ...words.supply.map((text) => make("p", sentence(text))), make("p", `Forecasts of version ${version}, ${plural(report.horizon, "bar")} ahead.`));
  card.append(make("h2", report.kind), make("p", sentence(summary), "verdict"), left, right);
  if (words.scores) card.append(scoresTable(words.scores), make("p", words.scores.caption, "range"));
  return card;
}

function showSkill(found, bots) {
  const kinds = Object.values(found.kinds), message = document.getElementById("skill-message");
  message.hidden = kinds.length > 0;
  message.textContent = "No forecast has been journaled yet, so there is nothing to judge.";
  const place = document.getElementById("skill"), open = document.activeElement;
  if (place.contains(open)) return; // a reader scrolls a table in it; the next answer is shown
  place.replaceChildren(...kinds.map((report) => kindCard(report, found.words[report.kind], bots)));
}
