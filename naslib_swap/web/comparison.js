"use strict";
// The page of `table`: for each task the proxies, the panels and the networks.

const TASKS = DATA.tasks.map((task, number) => {
  const section = document.getElementById(`task-${number}`);
  const within = (name) => section.querySelector(`.${name}`);

  const ends = [Math.min(0, ...task.rows.flatMap((row) => row.whisker.filter((x) => x !== null))), 1];
  const columns = task.columns.map((column) => (column.key === "whisker"
    ? { ...column, draw: (row) => whisker(row.whisker, ends, row.ours) } : column));
  const width = within("proxies").clientWidth || 1000;
  let used = 160;
  for (const column of columns.slice(1)) {
    used += column.key === "whisker" ? 148 : Math.max(66, 7.2 * column.title.length + 38);
    column.hidden = column.hidden || used > width;
  }
  const proxies = makeTable(within("proxies"), columns, task.rows,
                            { name: `proxies-${task.name}` });
  within("static").hidden = true;

  const panels = explorer(within("explorer"), task);

  // The networks: columns as wide as they need to be, as many of them as fit.
  const shownScores = Math.max(1, Math.floor((width - 430) / 105));
  const rows = task.archs.map((arch, i) => {
    const row = { id: i, arch, accuracy: task.accuracy[i] };
    task.proxies.forEach((proxy, p) => { row[`p${p}`] = proxy.values[i]; });
    return row;
  });
  const networkColumns = [
    { title: "architecture", key: "arch" },
    { title: "accuracy", key: "accuracy", numeric: true },
    ...task.proxies.map((proxy, p) => ({
      title: proxy.title, about: proxy.scale || proxy.title, key: `p${p}`, numeric: true,
      hidden: p >= shownScores,
    })),
  ];
  let picked = null;
  const only = node("input", { type: "checkbox", class: "only", onchange: () => networks.again() });
  const extra = [node("label", {}, only, "picked only")];
  let networks = null;
  whenSeen(within("networks"), () => {
    networks = makeTable(within("networks"), networkColumns, rows, {
      name: `networks-${task.name}`, height: "430px", filters: true, extra,
      width: Math.max(130, Math.min(330, width / 3)),
      sort: [{ column: "accuracy", dir: "desc" }],
      picked: (row) => Boolean(picked?.has(row.id)),
      only: (row) => !only.checked || Boolean(picked?.has(row.id)),
      clicked: (row) => panels.pin(row.id),
    });
    TASKS[number].networks = networks;
  });
  within("explorer").addEventListener("picked", (event) => {
    picked = event.detail;
    only.checked = Boolean(picked);
    if (!networks) return;
    networks.again();
    for (const row of networks.getRows("visible")) row.reformat();
  });
  return { task, proxies, panels, networks: null };
});
