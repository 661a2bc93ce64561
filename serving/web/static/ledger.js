"use strict";
/* Tables of a desk: sorted by their headings, scrolled and walked by the keyboard, and on a phone a card per row. */

const ledgers = new Map();
const LONG = 12;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

/* A column: a title, the value that rows are sorted by, and a cell (text or a node); numbers are aligned to the right. */
function column(title, value, cell, options = {}) {
  return { title, value, cell: cell ?? ((row) => value(row) ?? DASH), ...options };
}

/* Shows rows in a place; a table that has not changed is left alone, so that nothing moves under a reader. */
function showLedger(id, { columns, rows, key, empty, note, order }) {
  const state = ledgers.get(id) ?? { order: order ?? null, text: "" };
  const text = JSON.stringify([rows, note]);
  ledgers.set(id, { ...state, columns, rows, key, empty, note, text });
  if (text !== state.text) drawLedger(id);
}

function drawLedger(id) {
  const { columns, rows, key, empty, note, order } = ledgers.get(id), place = document.getElementById(id);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.row ?? document.activeElement.dataset.head : undefined;
  const top = place.querySelector(".scroll")?.scrollTop ?? 0;
  if (!rows.length) { place.replaceChildren(make("p", empty, "notice")); return; }
  const box = make("div", undefined, rows.length > LONG ? "scroll long" : "scroll"), table = make("table", undefined, "ledger");
  const head = make("thead"), titles = make("tr"), body = make("tbody");
  titles.append(...columns.map((one, place) => heading(id, one, place)));
  head.append(titles);
  const lines = sorted(rows, columns, order).map((row) => line(row, columns, key(row)));
  if (lines.length) lines[0].tabIndex = 0;
  body.append(...lines);
  body.onkeydown = walk;
  table.append(head, body);
  box.append(table);
  place.replaceChildren(box, ...(note ? [make("p", note, "range")] : []));
  box.scrollTop = top;
  const again = focused === undefined ? null : [...place.querySelectorAll("[data-row], [data-head]")].find((node) => (node.dataset.row ?? node.dataset.head) === focused);
  again?.focus({ preventScroll: true });
}

function heading(id, { title, number, hint }, place) {
  const node = make("th", undefined, number ? "number" : ""), button = make("button", title, "sort"), { order } = ledgers.get(id);
  node.scope = "col";
  if (order?.place === place) node.setAttribute("aria-sort", order.down ? "descending" : "ascending");
  if (hint) button.title = hint;
  button.dataset.head = `head ${place}`;
  button.onclick = () => {
    const state = ledgers.get(id);
    const down = state.order?.place === place ? !state.order.down : Boolean(number);
    ledgers.set(id, { ...state, order: { place, down } });
    drawLedger(id);
  };
  node.append(button);
  return node;
}

/* Rows in the order of a column, unknown values last; without one as the server gives them. */
function sorted(rows, columns, order) {
  if (!order) return rows;
  const value = columns[order.place].value, sign = order.down ? -1 : 1, unknown = (one) => one === null || one === undefined;
  return [...rows].sort((one, other) => {
    const a = value(one), b = value(other);
    if (unknown(a) || unknown(b)) return unknown(a) - unknown(b);
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  });
}

function line(row, columns, key) {
  const node = make("tr");
  node.dataset.row = `row ${key}`;
  node.tabIndex = -1;
  for (const { title, cell, number, wide, long, className } of columns) {
    const content = cell(row), classes = [number && "number", wide && "wide", long && "long", content === DASH && "unknown", className?.(row)].filter(Boolean).join(" ");
    const box = make("td", content instanceof Node ? undefined : content, classes);
    if (content instanceof Node) box.append(content);
    box.dataset.label = title;
    node.append(box);
  }
  return node;
}

/* Arrow keys, page keys, Home and End move between rows; Enter follows a row's link. */
function walk(event) {
  const row = event.target.closest("tr"), rows = [...event.currentTarget.children], step = STEPS[event.key];
  if (event.key === "Enter" && event.target === row) { row.querySelector("a")?.click(); return; }
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = rows[Math.min(Math.max(rows.indexOf(row) + step, 0), rows.length - 1)];
  row.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function symbolLink(symbol) {
  const link = make("a", symbol);
  link.href = symbolPath(symbol);
  return link;
}
