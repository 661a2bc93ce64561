"use strict";
/* The alternative data that a symbol's models read, in words: counts and tone of texts, ages, and what is missing. */

const MOST_NAMED = 6;

const sourceName = ({ name, group }) => name.slice(group.length + 1).replaceAll("_", " ");

function age(days) {
  const hours = Math.round(24 * days), whole = Math.round(days);
  return days < 2 ? `${hours} h` : `${whole} days`;
}

/* Such as "news: 3 texts in 5 sessions, tone +0.21, newest 6 h before the close". */
function textLine(source) {
  const { texts, tone, age_days: days } = source, parts = [];
  if (texts !== null) parts.push(`${texts || "no"} text${texts === 1 ? "" : "s"} in 5 sessions`);
  if (tone !== null) parts.push(`tone ${signed(tone, 2)}`);
  if (days !== null) parts.push(`newest ${age(days)} before the close`);
  return `${sourceName(source)}: ${parts.join(", ")}`;
}

/* Such as "options: iv30 (22 h), skew (3 days)": the age of the newest value at the close. */
function groupLine(group, sources) {
  const named = sources.slice(0, MOST_NAMED).map((one) => sourceName(one) + (one.age_days === null ? "" : ` (${age(one.age_days)})`));
  const more = sources.length > MOST_NAMED ? ` and ${sources.length - MOST_NAMED} more` : "";
  return `${group}: ${named.join(", ")}${more}`;
}

/* A card, or nothing for models of prices alone. */
function sourcesCards(sources = []) {
  if (!sources.length) return [];
  const card = make("section", undefined, "card"), groups = [...new Set(sources.map((one) => one.group))];
  card.id = "sources";
  card.append(make("h2", `the models read: prices, ${groups.join(", ")}`));
  for (const group of groups) {
    const known = sources.filter((one) => one.group === group && one.known);
    if (group === "sentiment") card.append(...known.map((one) => make("p", textLine(one))));
    else if (known.length) card.append(make("p", groupLine(group, known)));
  }
  if (sources.some((one) => one.known && one.age_days !== null && one.group !== "sentiment")) {
    card.append(make("p", "in brackets: age of the newest value at the close", "range"));
  }
  const missing = sources.filter((one) => !one.known);
  if (missing.length) {
    const names = missing.slice(0, MOST_NAMED).map((one) => `${one.group} ${sourceName(one)}`);
    const more = missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : "";
    card.append(make("p", `without a recent value: ${names.join(", ")}${more}; features of these count as missing`, "problem"));
  }
  return [card];
}
