"use strict";
// Tables that sort, filter, choose columns and copy as CSV. Texts are text: none is ever markup.

const DATA = JSON.parse(document.getElementById("data").textContent);

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function shown(number) {
  if (number === null || number === undefined) return "";
  return Number.isInteger(number) && Math.abs(number) < 1e9
    ? String(number) : String(Number(number.toPrecision(5)));
}

// As csv_files.written in Python: what a spreadsheet would compute gets a ' in front.
function csvCell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+@-]/.test(text) && isNaN(text) ? "'" + text : text;
  return /[",\n\r]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
}

// ">0.8", "<=3", "0.2..0.5" for numbers; otherwise part of the text.
function matches(wanted, value, text) {
  const asked = String(wanted).trim().toLowerCase();
  if (!asked) return true;
  const limit = /^(<=|>=|<|>|=)\s*(-?[\d.]+(?:e[-+]?\d+)?)$/.exec(asked);
  const range = /^(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)$/.exec(asked);
  if (limit || range) {
    if (typeof value !== "number") return false;
    if (range) return value >= +range[1] && value <= +range[2];
    const bound = +limit[2];
    return { "<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound,
             "=": value === bound }[limit[1]];
  }
  return String(text ?? value ?? "").toLowerCase().includes(asked);
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = node("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1200);
}

/* A table in `host`. A column has {title, about, key, text, numeric, hidden, draw}: row[key] sorts,
   row[text] is shown. Options: name (of the CSV file), height, ours(row), filters, extra (tools),
   width (of the first column), clicked(row). */
function makeTable(host, columns, rows, options = {}) {
  const field = (column) => column.key;
  const cellText = (column, row) =>
    column.text ? row[column.text] : column.numeric ? shown(row[column.key]) : row[column.key];
  const made = columns.map((column, place) => ({
    title: column.title,
    field: field(column),
    frozen: place === 0,
    visible: !column.hidden,
    hozAlign: column.numeric ? "right" : "left",
    headerHozAlign: column.numeric ? "right" : "left",
    headerSortStartingDir: column.numeric ? "desc" : "asc",
    sorter: column.numeric ? "number" : "string",
    sorterParams: { alignEmptyValues: "bottom" },
    minWidth: place === 0 ? 110 : 60,
    ...(place === 0 && options.width ? { width: options.width } : {}),
    titleFormatter: (cell) => {
      const title = node("span", { title: column.about || column.title });
      title.textContent = column.title;
      return title;
    },
    formatter: (cell) => {
      const row = cell.getRow().getData();
      if (column.draw) return column.draw(row);
      const text = node("span", place === 0 ? { title: row.hint || row[column.key] } : {});
      text.textContent = cellText(column, row);
      return text;
    },
    ...(options.filters ? {
      headerFilter: "input",
      headerFilterPlaceholder: column.numeric ? ">" : "part of it",
      headerFilterFunc: (wanted, value, row) => matches(wanted, value, cellText(column, row)),
    } : {}),
  }));
  const holder = node("div");
  const count = node("span", { class: "soft", "aria-live": "polite" });
  const search = node("input", { type: "search", placeholder: "Filter by name",
                                 "aria-label": "Filter by name" });
  const columnBox = (column) => node("input", {
    type: "checkbox", checked: !column.hidden,
    onchange: (event) => {
      if (event.target.checked) table.showColumn(field(column));
      else table.hideColumn(field(column));
      table.redraw(true);
    },
  });
  const menu = node("details", { class: "menu" }, node("summary", {}, "Columns"),
    node("div", {}, ...columns.slice(1).map((column) => {
      const name = node("span");
      name.textContent = column.title;
      return node("label", { title: column.about || null }, columnBox(column), name);
    })));
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  const csv = () => {
    const visible = columns.filter((column) => table.getColumn(field(column)).isVisible());
    const lines = [visible.map((column) => csvCell(column.title)).join(",")];
    for (const row of table.getRows("active")) {
      const cells = row.getData();
      lines.push(visible.map((column) =>
        csvCell(column.text ? cells[column.text] : cells[column.key])).join(","));
    }
    return lines.join("\n") + "\n";
  };
  const save = () => {
    const link = node("a", { download: (options.name || "table") + ".csv",
      href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })) });
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const copy = node("button", { type: "button", onclick: () => copied(csv(), copy) },
                    "Copy as CSV");
  host.append(
    node("div", { class: "tools" }, node("label", { class: "wide" }, search), menu, copy,
      node("button", { type: "button", onclick: save }, "Save CSV"), ...(options.extra || []),
      node("span", { class: "grow" }), count),
    holder);
  const table = new Tabulator(holder, {
    data: rows,
    columns: made,
    index: "id",
    layout: "fitDataFill",
    ...(options.height ? { height: options.height } : {}),
    ...(options.sort ? { initialSort: options.sort } : {}),
    rowFormatter: (row) => {
      const cells = row.getData();
      row.getElement().classList.toggle("ours", Boolean(cells.ours));
      row.getElement().classList.toggle("picked", Boolean(options.picked?.(cells)));
    },
    placeholder: "Nothing matches.",
  });
  const counted = (event, active) => {
    const some = active ? active.length : table.getDataCount("active");
    count.textContent = some === rows.length ? `${rows.length} rows` : `${some} of ${rows.length}`;
  };
  table.on("tableBuilt", counted);
  table.on("dataFiltered", counted);
  if (options.clicked) table.on("rowClick", (event, row) => options.clicked(row.getData()));
  const key = field(columns[0]);
  search.addEventListener("input", () => {
    const wanted = search.value;
    table.setFilter((row) => matches(wanted, null, row[key] + " " + (row.hint || "")) &&
                             (!options.only || options.only(row)));
  });
  table.again = () => search.dispatchEvent(new Event("input"));
  return table;
}

// A dot with its interval on the common scale of a column.
function whisker([low, value, high], [from, to], ours) {
  const space = "http://www.w3.org/2000/svg";
  const width = 130, height = 16;
  const at = (x) => 4 + (width - 8) * (x - from) / (to - from);
  const drawing = document.createElementNS(space, "svg");
  for (const [name, v] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`,
                                           class: "whisker" })) drawing.setAttribute(name, v);
  const add = (tag, attributes) => {
    const part = document.createElementNS(space, tag);
    for (const [name, v] of Object.entries(attributes)) part.setAttribute(name, v);
    drawing.append(part);
  };
  const colour = ours ? "#c2410c" : "#475569";
  add("line", { x1: at(0), x2: at(0), y1: 0, y2: height, stroke: "#d6d3d1" });
  if (low !== null && high !== null)
    add("line", { x1: at(low), x2: at(high), y1: 8, y2: 8, stroke: colour, "stroke-width": 3,
                  "stroke-opacity": 0.45, "stroke-linecap": "round" });
  if (value !== null) add("circle", { cx: at(value), cy: 8, r: 4, fill: colour });
  return drawing;
}
