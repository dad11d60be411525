"use strict";
// Sorting, filters and columns of the board. Without it the page shows every row and every column.
// The state lives in the address, after the #, so that it survives a reload and can be sent to others.
document.documentElement.classList.add("scripted"); // tables wait for their rows to be chosen: see style.css
document.addEventListener("DOMContentLoaded", () => {
  try { board(); } finally { document.documentElement.classList.remove("scripted"); }
  performance.mark("board-ready");
});

function board() {
  const FIRST = 50; // rows of a table that are drawn until all are asked for: browsers lay out long tables slowly
  const form = document.getElementById("controls");
  if (!form) return;
  const filter = document.getElementById("filter");
  const budget = document.getElementById("budget");
  const shown = document.getElementById("shown");
  const boxes = [...form.querySelectorAll("input[name=column]")];
  const usual = new Map(boxes.map((box) => [box.value, box.checked]));
  const tables = [...document.querySelectorAll("table.board")].map(prepared);
  const all = document.getElementById("all");
  const rows = tables.flatMap((table) => table.rows);
  let everything = false; // whether long tables are drawn to their end
  const visible = new Map(); // column → whether it is shown now; at first all are

  function prepared(element) {
    const [body] = element.tBodies;
    const table = {
      id: element.id,
      element,
      body,
      heads: [...element.tHead.rows[0].cells],
      rows: [...body.rows].filter((row) => !row.classList.contains("heading"))
        .map((row) => ({ row, words: row.textContent.toLowerCase(), ms: number(row.dataset.ms) })),
      key: "", descending: false,
    };
    table.ordered = table.rows;
    for (const head of table.heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => { turn(table, head.dataset.key); select(); save(); });
      head.append(button);
      head.setAttribute("aria-sort", "none");
    }
    return table;
  }

  function number(words) {
    return words === undefined || words.trim() === "" ? NaN : Number(words);
  }

  // Up, down, and back to the order of the ranking.
  function turn(table, key) {
    if (table.key !== key) sort(table, key, false);
    else if (!table.descending) sort(table, key, true);
    else sort(table, "", false);
  }

  function sort(table, key, descending) {
    if (table.key === key && table.descending === descending) return;
    Object.assign(table, { key, descending });
    const column = table.heads.findIndex((head) => head.dataset.key === key);
    table.heads.forEach((head, index) =>
      head.setAttribute("aria-sort", index !== column ? "none" : descending ? "descending" : "ascending"));
    table.element.classList.toggle("sorted", column >= 0);
    table.ordered = column < 0 ? table.rows : inOrder(table, column, descending);
  }

  function inOrder(table, column, descending) {
    const numeric = table.heads[column].classList.contains("number");
    const direction = descending ? -1 : 1;
    const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b);
    const of = ({ row }) => {
      const cell = row.cells[column];
      if (numeric) return number(cell.dataset.v);
      return cell.textContent.trim().toLowerCase();
    };
    const missing = (value) => numeric ? Number.isNaN(value) : value === "–";
    const decorated = table.rows.map((each) => ({ each, value: of(each) }));
    decorated.sort((a, b) => missing(a.value) - missing(b.value)
      || (missing(a.value) ? 0 : direction * compare(a.value, b.value)));
    return decorated.map(({ each }) => each);
  }

  function select() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const most = budget.value === "" ? Infinity : Number(budget.value);
    let count = 0, drawn = 0;
    for (const table of tables) {
      const kept = table.ordered.filter((each) => (most === Infinity || each.ms <= most) // what was not timed is in no budget
        && words.every((word) => each.words.includes(word)));
      const seen = everything ? kept : kept.slice(0, FIRST);
      if (table.rows.length) table.body.replaceChildren(...seen.map((each) => each.row));
      count += kept.length;
      drawn += seen.length;
    }
    all.hidden = drawn === count;
    const untimed = most === Infinity ? "" : "; models without a measured time are left out";
    shown.textContent = drawn === count ? `${count} of ${rows.length} models shown${untimed}`
      : `${count} of ${rows.length} models match, the first ${FIRST} of each table are shown${untimed}`;
  }

  function choose() {
    const changed = new Set();
    for (const box of boxes) {
      if ((visible.get(box.value) ?? true) !== box.checked) changed.add(box.value);
      visible.set(box.value, box.checked);
    }
    if (changed.size) tables.forEach((table) => choosePart(table, changed));
  }

  function choosePart(table, changed) {
    const hidden = table.heads.map((head) => visible.get(head.dataset.key) === false);
    const indices = table.heads.flatMap((head, index) => changed.has(head.dataset.key) ? [index] : []);
    const hide = (row) => { for (const index of indices) row.cells[index].hidden = hidden[index]; };
    hide(table.element.tHead.rows[0]);
    table.rows.forEach((each) => hide(each.row));
    for (const row of table.element.querySelectorAll("tbody tr")) {
      if (row.classList.contains("heading")) row.cells[0].colSpan = hidden.filter((each) => !each).length;
      else if (row.parentNode !== table.body) hide(row);
    }
  }

  function save() {
    const state = new URLSearchParams();
    if (filter.value) state.set("filter", filter.value);
    if (budget.value) state.set("ms", budget.value);
    if (everything) state.set("all", "1");
    const listed = (checked) => boxes.filter((box) => box.checked === checked && usual.get(box.value) !== checked)
      .map((box) => box.value).join(",");
    if (listed(true)) state.set("show", listed(true));
    if (listed(false)) state.set("hide", listed(false));
    for (const table of tables) if (table.key) state.set(table.id, `${table.key},${table.descending ? "down" : "up"}`);
    history.replaceState(null, "", `#${state}`);
  }

  function load() {
    const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    filter.value = state.get("filter") ?? "";
    budget.value = state.get("ms") ?? "";
    everything = state.get("all") === "1";
    const [more, fewer] = ["show", "hide"].map((name) => (state.get(name) ?? "").split(","));
    for (const box of boxes) box.checked = (usual.get(box.value) || more.includes(box.value)) && !fewer.includes(box.value);
    for (const table of tables) {
      const [key, direction] = (state.get(table.id) ?? "").split(",");
      sort(table, table.heads.some((head) => head.dataset.key === key) ? key : "", direction === "down");
    }
    choose();
    select();
  }

  // A link within the page moves there without putting its own name in the place of the state.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    const target = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!target) return;
    event.preventDefault();
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  });
  filter.addEventListener("input", () => { select(); save(); });
  budget.addEventListener("input", () => { select(); save(); });
  for (const box of boxes) box.addEventListener("change", () => { choose(); save(); });
  document.getElementById("reset").addEventListener("click", () => {
    history.replaceState(null, "", "#");
    load();
  });
  all.addEventListener("click", () => { everything = true; select(); save(); filter.focus(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", load);
  form.hidden = false;
  load();
}
