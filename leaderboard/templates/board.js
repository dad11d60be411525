"use strict";
// Sorting, filters and columns of the board. Without it the page shows every row and every column.
// The state lives in the address, after the #, so that it survives a reload and can be sent to others.
(() => {
  const form = document.getElementById("controls");
  if (!form) return;
  const filter = document.getElementById("filter");
  const budget = document.getElementById("budget");
  const shown = document.getElementById("shown");
  const boxes = [...form.querySelectorAll("input[name=column]")];
  const usual = new Map(boxes.map((box) => [box.value, box.checked]));
  const tables = [...document.querySelectorAll("table.board")].map(prepared);
  const rows = tables.flatMap((table) => table.rows);
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
    for (const head of table.heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => { turn(table, head.dataset.key); save(); });
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
    const ordered = column < 0 ? table.rows : inOrder(table, column, descending);
    table.body.append(...ordered.map((each) => each.row));
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
    let count = 0;
    for (const each of rows) {
      const affordable = most === Infinity || each.ms <= most; // what was not timed is not within a budget
      const kept = affordable && words.every((word) => each.words.includes(word));
      if (each.row.hidden === kept) each.row.hidden = !kept;
      count += kept;
    }
    const untimed = most === Infinity ? "" : "; models without a measured time are left out";
    shown.textContent = `${count} of ${rows.length} models shown${untimed}`;
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
    for (const row of table.element.rows) {
      if (row.classList.contains("heading")) row.cells[0].colSpan = hidden.filter((each) => !each).length;
      else for (const index of indices) row.cells[index].hidden = hidden[index];
    }
  }

  function save() {
    const state = new URLSearchParams();
    if (filter.value) state.set("filter", filter.value);
    if (budget.value) state.set("ms", budget.value);
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
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", load);
  form.hidden = false;
  load();
  performance.mark("board-ready");
})();
