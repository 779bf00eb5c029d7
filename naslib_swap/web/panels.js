"use strict";
// One panel per proxy, score against accuracy; what is picked in one is seen in all.

const OURS = "#c2410c", OTHERS = "#475569", PICKED = "#ea580c";
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2), part = at - low;
  const mixed = VIRIDIS[low].map((one, k) => Math.round(one + part * (VIRIDIS[low + 1][k] - one)));
  return `rgb(${mixed.join(",")})`;
}

// Mean ranks, 1 the best; null for what is missing.
function ranks(values, higher) {
  const known = values.map((v, i) => i).filter((i) => values[i] !== null);
  known.sort((a, b) => (higher ? values[b] - values[a] : values[a] - values[b]));
  const found = new Array(values.length).fill(null);
  for (let from = 0; from < known.length; ) {
    let to = from;
    while (to < known.length && values[known[to]] === values[known[from]]) to += 1;
    for (let k = from; k < to; k += 1) found[known[k]] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}

// Tells when an element comes near to what is seen, and when it leaves.
function whileSeen(element, changed) {
  new IntersectionObserver((seen) => changed(seen[seen.length - 1].isIntersecting),
                           { rootMargin: "300px" }).observe(element);
}

function whenSeen(element, build) {
  let built = false;
  whileSeen(element, (near) => {
    if (near && !built) {
      built = true;
      build();
    }
  });
}

function switcher(label, choices, chosen, changed) {
  const buttons = choices.map(([value, text]) => {
    const button = node("button", { type: "button", "aria-pressed": String(value === chosen),
      onclick: () => {
        for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
        changed(value);
      } });
    button.textContent = text;
    return button;
  });
  return node("label", {}, label, node("span", { class: "switch", role: "group" }, ...buttons));
}

function chooser(label, choices, changed) {
  const list = node("select", { "aria-label": label, onchange: () => changed(list.value) });
  for (const [value, text] of choices) {
    const choice = node("option", { value });
    choice.textContent = text;
    list.append(choice);
  }
  return node("label", {}, label, list);
}

/* The explorer of one task: {archs, accuracy, proxies: [{title, ours, higher, spearman, scale,
   values}], drawn, unit}. */
function explorer(host, task) {
  const { archs, accuracy, proxies, drawn } = task;
  const count = archs.length;
  const accuracyRank = ranks(accuracy, true);
  const rankOf = proxies.map((proxy) => ranks(proxy.values, proxy.higher));
  const state = { x: "rank", y: "rank", colour: "", picked: null, pinned: null };
  const charts = [];
  const colours = new Array(count);

  // Where network i is in the panel of proxy p.
  const place = (p, i) => [
    (state.x === "rank" ? rankOf[p] : proxies[p].values)[i],
    (state.y === "rank" ? accuracyRank : accuracy)[i],
  ];

  function axis(kind, inverse, name) {
    const ranked = state[kind] === "rank";
    return {
      type: "value", scale: true, inverse: ranked || inverse, splitNumber: 4,
      min: ranked ? 1 : null, max: ranked ? count : null,
      name, nameLocation: "middle", nameGap: kind === "x" ? 20 : 34,
      nameTextStyle: { fontSize: 10, color: "#78716c" },
      axisLabel: { fontSize: 10, hideOverlap: true, showMaxLabel: ranked ? false : null,
                   formatter: (v) => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3)
                     ? v.toExponential(0) : shown(v) },
      axisLine: { show: false }, axisTick: { show: false },
      splitLine: { lineStyle: { color: "#f0efee" } },
    };
  }

  function points(p, chosen) {
    const found = [];
    for (const i of chosen) {
      const [x, y] = place(p, i);
      if (x !== null) found.push({ value: [x, y, i], itemStyle: { color: colours[i] } });
    }
    return found;
  }

  const someOf = (all) => (all.length <= task.most ? all
    : all.filter((one, k) => Math.floor(k * task.most / all.length) !==
                             Math.floor((k - 1) * task.most / all.length)));

  function tip(p, i) {
    const best = [...new Set([p, ...proxies.keys()])].slice(0, 8);
    const line = (title, value, rank, here) => {
      const row = node("tr", here ? { class: "here" } : {});
      for (const text of [title, value, rank]) {
        const cell = node("td");
        cell.textContent = text;
        row.append(cell);
      }
      return row;
    };
    const name = node("b");
    name.textContent = archs[i];
    const ranked = (rank) => (rank === null ? "no score" : `rank ${shown(rank)}`);
    return node("div", { class: "tip" }, name, node("table", {},
      line("accuracy", shown(accuracy[i]), ranked(accuracyRank[i]), false),
      ...best.map((q) => line(proxies[q].title, shown(proxies[q].values[i]),
                              ranked(rankOf[q][i]), q === p))));
  }

  function option(p) {
    const proxy = proxies[p];
    const fade = state.picked ? 0.22 : 0.8;
    return {
      animation: false,
      toolbox: { show: false },
      grid: { left: 46, right: 12, top: 8, bottom: 34 },
      xAxis: axis("x", !proxy.higher, state.x === "rank" ? "rank by score" : proxy.scale || "score"),
      yAxis: axis("y", false, state.y === "rank" ? "rank by accuracy" : "accuracy"),
      tooltip: { trigger: "item", appendTo: document.body, confine: true, padding: 8,
                 extraCssText: "max-width:90vw;",
                 formatter: (one) => tip(p, one.value[2]) },
      brush: { toolbox: [], xAxisIndex: 0, yAxisIndex: 0, brushMode: "single", transformable: false,
               inBrush: { opacity: 1 }, outOfBrush: { opacity: 1 },
               brushStyle: { color: "rgba(234,88,12,.08)", borderColor: PICKED, borderWidth: 1 } },
      series: [
        { id: "all", type: "scatter", data: points(p, drawn),
          symbolSize: drawn.length > 600 ? 4 : 6, itemStyle: { opacity: fade },
          emphasis: { scale: 2, itemStyle: { opacity: 1, borderColor: "#1c1917", borderWidth: 1 } } },
        { id: "picked", type: "scatter", z: 4,
          symbolSize: state.picked && state.picked.size > 300 ? 4 : 7,
          data: state.picked ? points(p, someOf([...state.picked])) : [],
          itemStyle: { opacity: 1, borderColor: PICKED, borderWidth: 1.5 },
          emphasis: { scale: 1.6 } },
      ],
    };
  }

  // Panels that nobody sees are drawn when they are seen.
  const near = proxies.map(() => false), stale = proxies.map(() => true);
  function draw(p) {
    if (!charts[p] || !near[p] || !stale[p]) return;
    charts[p].setOption(option(p), { replaceMerge: ["series"], lazyUpdate: true });
    stale[p] = false;
  }
  function drawAll() {
    for (const p of proxies.keys()) {
      stale[p] = true;
      draw(p);
    }
  }

  let quiet = false, brushedPanel = null;  // our own changes are no choices of the user
  function clearBrush(except) {
    if (brushedPanel !== null && brushedPanel !== except) {
      quiet = true;
      charts[brushedPanel].dispatchAction({ type: "brush", areas: [] });
      quiet = false;
    }
    brushedPanel = except;
  }

  function pick(chosen, why, except = null) {
    state.picked = chosen && chosen.length ? new Set(chosen) : null;
    said.textContent = state.picked
      ? `${state.picked.size} of ${count} networks picked: ${why}` : hint;
    clear.hidden = !state.picked;
    clearBrush(except);
    drawAll();
    host.dispatchEvent(new CustomEvent("picked", { detail: state.picked }));
  }

  function brushed(p, areas) {
    if (quiet) return;
    if (!areas.length) {
      if (state.picked) pick(null, "");
      return;
    }
    const [[x0, x1], [y0, y1]] = areas[0].coordRange.map((ends) => [...ends].sort((a, b) => a - b));
    const inside = [...archs.keys()].filter((i) => {
      const [x, y] = place(p, i);
      return x !== null && x >= x0 && x <= x1 && y >= y0 && y <= y1;
    });
    pick(inside, `drawn in the panel of ${proxies[p].title}`, p);
  }

  function highlight(type, i) {
    for (const [p, chart] of charts.entries()) {
      if (!chart) continue;
      const where = drawnPlaces[p].get(i);
      if (where !== undefined)
        chart.dispatchAction({ type, seriesId: "all", dataIndex: where });
    }
  }
  const drawnPlaces = proxies.map((proxy) => new Map(
    drawn.filter((i) => proxy.values[i] !== null).map((i, where) => [i, where])));

  function build(p, plot) {
    const chart = echarts.init(plot, null, { renderer: "canvas" });
    charts[p] = chart;
    chart.setOption(option(p));
    stale[p] = false;
    const cursor = () => chart.dispatchAction({ type: "takeGlobalCursor", key: "brush",
      brushOption: { brushType: "rect", brushMode: "single" } });
    cursor();
    chart.on("brushEnd", (event) => brushed(p, event.areas));
    chart.on("mouseover", (event) => highlight("highlight", event.value[2]));
    chart.on("mouseout", (event) => highlight("downplay", event.value[2]));
    chart.on("click", (event) => pin(event.value[2]));
    new ResizeObserver(() => chart.resize()).observe(plot);
  }

  function pin(i) {
    const name = node("code");
    name.textContent = archs[i];
    const copy = node("button", { type: "button", onclick: () => copied(archs[i], copy) },
                      "Copy name");
    const list = node("dl");
    const line = (title, text) => {
      const term = node("dt"), value = node("dd");
      term.textContent = title;
      value.textContent = text;
      list.append(node("div", {}, term, value));
    };
    line("accuracy", `${shown(accuracy[i])} · rank ${shown(accuracyRank[i])}`);
    for (const [p, proxy] of proxies.entries())
      line(proxy.title, proxy.values[i] === null ? "no score"
        : `${shown(proxy.values[i])} · rank ${shown(rankOf[p][i])}`);
    card.replaceChildren(
      node("div", { class: "tools" }, name, node("span", { class: "grow" }), copy,
        node("button", { type: "button", onclick: () => { card.hidden = true; } }, "Close")), list);
    card.hidden = false;
  }

  function colourBy(title) {
    const by = proxies.find((proxy) => proxy.title === title);
    const known = by ? by.values.filter((v) => v !== null) : [];
    const low = known.reduce((a, b) => Math.min(a, b), Infinity);
    const high = known.reduce((a, b) => Math.max(a, b), -Infinity);
    for (const i of archs.keys())
      colours[i] = !by ? OTHERS
        : by.values[i] === null ? "#d6d3d1" : viridis((by.values[i] - low) / (high - low || 1));
    ramp.hidden = !by;
    legend.textContent = by ? `${shown(low)} to ${shown(high)}` : "";
  }

  const hint = "Drag over a panel to pick networks; hover for names; click one for all its scores.";
  const said = node("span", { class: "soft", "aria-live": "polite" }, hint);
  const clear = node("button", { type: "button", hidden: true, onclick: () => pick(null, "") },
                     "Clear");
  const ramp = node("span", { class: "ramp",
    style: `background:linear-gradient(90deg,${[0, .25, .5, .75, 1].map(viridis).join(",")})` });
  const legend = node("span", { class: "soft" });
  const card = node("div", { class: "card", hidden: true });
  const top = node("input", { type: "number", min: 1, max: count, value: Math.min(10, count),
                              "aria-label": "How many" });
  const names = proxies.map((proxy, p) => [String(p), proxy.title]);
  const by = chooser("by", [["accuracy", "accuracy"], ...names], () => {});
  const pickTop = () => {
    const chosen = by.querySelector("select").value;
    const order = chosen === "accuracy" ? accuracyRank : rankOf[+chosen];
    const k = Math.max(1, Math.min(count, Math.round(+top.value) || 1));
    const best = [...archs.keys()].filter((i) => order[i] !== null)
      .sort((a, b) => order[a] - order[b] || a - b).slice(0, k);
    pick(best, `the ${k} best by ${chosen === "accuracy" ? "accuracy" : proxies[+chosen].title}`);
  };
  const redraw = () => { clearBrush(null); drawAll(); };
  const colourable = proxies.filter((proxy) => new Set(proxy.values).size > 1)
    .map((proxy) => [proxy.title, proxy.title]);
  const palette = chooser("Colour", [["", "none"], ...colourable], (title) => {
    colourBy(title);
    drawAll();
  });
  const depth = task.colour;
  if (depth) palette.querySelector("select").value = depth;
  colourBy(depth || "");

  const grid = node("div", { class: "panels" });
  host.append(
    node("div", { class: "tools" },
      switcher("Accuracy", [["rank", "rank"], ["value", "value"]], state.y,
               (kind) => { state.y = kind; redraw(); }),
      switcher("Scores", [["rank", "rank"], ["value", "value"]], state.x,
               (kind) => { state.x = kind; redraw(); }),
      palette, ramp, legend),
    node("div", { class: "tools" },
      node("label", {}, "Pick the", top, "best"), by,
      node("button", { type: "button", class: "pick-top", onclick: pickTop }, "Pick"), clear, said),
    card, grid);
  for (const [p, proxy] of proxies.entries()) {
    const name = node("b", { title: proxy.title }), rho = node("span");
    name.textContent = proxy.title;
    rho.textContent = proxy.spearman === null ? "no ranking" : `ρ ${proxy.spearman.toFixed(2)}`;
    const plot = node("div", { class: "plot", role: "img" });
    plot.setAttribute("aria-label", `${proxy.title} against accuracy`);
    grid.append(node("section", { class: proxy.ours ? "panel ours" : "panel" },
      node("header", {}, name, rho), plot));
    whileSeen(plot, (seen) => {
      near[p] = seen;
      if (seen && !charts[p]) build(p, plot);
      else draw(p);
    });
  }
  return { pick, pin, charts, state };
}
