"use strict";
// The page of a search: how it went, what is on the front of score and size, all that was tried.

const { history, front, fitness, measure } = DATA;
const NAMES = history.map((one) => one.arch);
let best = -Infinity;
const risen = history.map((one, k) => {
  if (one.value !== null) best = Math.max(best, one.value);
  return [k, best === -Infinity ? null : best];
});
const inFront = new Set(front);

const CHARTS = [];
const scored = history.map((one, k) => k).filter((k) => history[k].value !== null);
// The worst twentieth would flatten the rest: the axis leaves it out, the table does not.
const ordered = scored.map((k) => history[k].value).sort((a, b) => a - b);
const floor = ordered[Math.floor(ordered.length / 20)], ceiling = ordered[ordered.length - 1];
const room = 0.06 * (ceiling - floor) || 1;

function tip(k) {
  const name = node("b"), list = node("table");
  name.textContent = NAMES[k];
  const rows = [[fitness, history[k].value], [measure, history[k].size],
                ["scored as number", k + 1], ["origin", history[k].origin]];
  for (const [title, value] of rows) {
    const term = node("td"), cell = node("td");
    term.textContent = title;
    cell.textContent = typeof value === "string" ? value : shown(value);
    list.append(node("tr", {}, term, cell));
  }
  return node("div", { class: "tip" }, name, list);
}

function chart(host, xName, yName, series) {
  const axis = (name, gap) => ({
    type: "value", scale: true, name, nameLocation: "middle", nameGap: gap,
    nameTextStyle: { fontSize: 11, color: "#78716c" }, axisLabel: { fontSize: 10, hideOverlap: true },
    axisLine: { show: false }, axisTick: { show: false },
    splitLine: { lineStyle: { color: "#f0efee" } },
  });
  whenSeen(host, () => {
    const made = echarts.init(host);
    made.setOption({
      animation: false, toolbox: { show: false },
      grid: { left: 64, right: 16, top: 12, bottom: 42 },
      xAxis: axis(xName, 26),
      yAxis: { ...axis(yName, 48), min: floor - room, max: ceiling + room,
               axisLabel: { fontSize: 10, showMinLabel: false, showMaxLabel: false, formatter: shown } },
      dataZoom: [{ type: "inside", xAxisIndex: 0 }],
      tooltip: { trigger: "item", appendTo: document.body, confine: true,
                 formatter: (one) => (one.value[2] === undefined ? null : tip(one.value[2])) },
      series,
    });
    new ResizeObserver(() => made.resize()).observe(host);
    CHARTS.push(made);
  });
}

const dot = (k, x) => ({
  value: [x, history[k].value, k],
  itemStyle: { color: inFront.has(k) ? "#c2410c" : "#475569", opacity: inFront.has(k) ? 1 : 0.45 },
  symbolSize: inFront.has(k) ? 8 : 4,
});
chart(document.getElementById("curve"), "architectures scored", fitness, [
  { type: "scatter", data: scored.map((k) => dot(k, k + 1)) },
  { type: "line", data: risen.map(([k, value]) => [k + 1, value]), showSymbol: false, step: "end",
    lineStyle: { color: "#c2410c", width: 2 }, tooltip: { show: false }, silent: true },
]);
chart(document.getElementById("front"), measure, fitness, [
  { type: "scatter", data: scored.map((k) => dot(k, history[k].size)) },
  { type: "line", data: front.map((k) => [history[k].size, history[k].value]), showSymbol: false,
    lineStyle: { color: "#c2410c", width: 2 }, silent: true },
]);

const HISTORY = makeTable(document.getElementById("history"), [
  { title: "architecture", key: "arch" },
  { title: fitness, key: "value", numeric: true },
  { title: measure, key: "size", numeric: true },
  { title: "number", key: "number", numeric: true, about: "1 was scored first" },
  { title: "cycle", key: "cycle", numeric: true, about: "0 is the first population" },
  { title: "origin", key: "origin" },
], history.map((one, k) => ({ ...one, id: k, number: k + 1, ours: k === DATA.best })), {
  name: "history", height: "430px", filters: true,
  width: Math.max(130, Math.min(420, document.getElementById("history").clientWidth / 2.4)),
  sort: [{ column: "value", dir: "desc" }],
  picked: (row) => inFront.has(row.id),
});
