// The time line: events by instructions executed, and the table of them.
const COLORS = { call: "var(--call)", fault: "var(--fault)", exception: "var(--exception)" };
const LANES = { call: 24, fault: 58, exception: 92 };
const FORMS = { call: "m-4.5-4.5h9v9h-9z", fault: "m0-5.5l5.5 10h-11z", exception: "m-4.5-4.5l9 9m0-9l-9 9" };
const NAMES = { call: "calls", fault: "page faults", exception: "exceptions" };
/** Where the axis begins and what is free behind its end, in pixels. */
const AXIS = { left: 92, right: 46, y: 140, height: 182 };
let view = [0, Math.max(1, data.instructions)];
let picked = -1;

function shape(kind, x, y) {
  const isCross = kind === "exception";
  return drawn("path", {
    class: "mark", d: "M" + x + " " + y + FORMS[kind], stroke: COLORS[kind],
    fill: isCross ? "none" : COLORS[kind], "stroke-width": isCross ? 3 : 1,
  });
}

/** Returns the next number up that is 1, 2 or 5 times a power of ten. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) || 1;
}

function drawAxis(svg, width, place) {
  const end = width - AXIS.right;
  svg.append(drawn("path", { class: "axis", d: "M" + AXIS.left + " " + AXIS.y + "H" + end }));
  const step = nice((view[1] - view[0]) * 110 / (end - AXIS.left));
  for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
    svg.append(drawn("path", { class: "axis", d: "M" + place(at) + " " + AXIS.y + "v5" }));
    svg.append(drawn("text", { x: place(at), y: AXIS.y + 18, "text-anchor": "middle" }, count(at)));
  }
  svg.append(drawn("text", { x: (AXIS.left + end) / 2, y: AXIS.height - 6, "text-anchor": "middle" }, "instructions executed"));
}

function drawMisses(svg, width) {
  const BIN = 3;
  const bins = new Array(Math.floor((width - AXIS.left - AXIS.right) / BIN)).fill(0);
  const share = bins.length / (view[1] - view[0]);
  for (const [at] of data.misses) {
    if (at >= view[0] && at <= view[1]) bins[Math.min(bins.length - 1, Math.floor((at - view[0]) * share))] += 1;
  }
  const most = Math.max(1, ...bins);
  bins.forEach((misses, index) => {
    if (!misses) return;
    const height = 3 + 15 * misses / most;
    const bar = drawn("rect", { x: AXIS.left + index * BIN, y: AXIS.y - height, width: BIN, height, fill: "var(--miss)" });
    bar.append(drawn("title", {}, amount(misses, "TLB miss", "TLB misses")));
    svg.append(bar);
  });
}

/** Draws the events of a kind: one mark for those that would stand on one another. */
function drawMarks(svg, kind, place) {
  const NEAR = 5;
  let last = null;
  data.rows.forEach((row, index) => {
    if (row.kind !== kind || row.at < view[0] || row.at > view[1]) return;
    const x = place(row.at);
    if (last && x - last.x < NEAR && last.index !== picked && index !== picked) {
      last.more += 1;
      last.title.textContent = last.text + " (and " + last.more + " more here: zoom in)";
      return;
    }
    const mark = shape(kind, x.toFixed(1), LANES[kind]);
    const title = drawn("title", {}, row.text);
    mark.append(title);
    mark.dataset.row = index;
    mark.addEventListener("click", () => pick(index));
    svg.append(mark);
    if (index === picked) svg.append(drawn("circle", { class: "ring no-pointer", cx: x, cy: LANES[kind], r: 10 }));
    last = { x, index, title, text: row.text, more: 0 };
  });
}

function drawTimeline() {
  const svg = byId("timeline");
  const width = sized(svg, AXIS.height);
  const place = (at) => AXIS.left + (width - AXIS.left - AXIS.right) * (at - view[0]) / (view[1] - view[0]);
  for (const [kind, y] of Object.entries(LANES)) svg.append(drawn("text", { x: 0, y: y + 4 }, NAMES[kind]));
  svg.append(drawn("text", { x: 0, y: AXIS.y - 4 }, "TLB misses"));
  drawMisses(svg, width);
  drawAxis(svg, width, place);
  for (const kind of Object.keys(LANES)) if (byId("show-" + kind).checked) drawMarks(svg, kind, place);
}

function drawRows() {
  const part = byId("rows").tBodies[0];
  part.replaceChildren();
  data.rows.forEach((row, index) => {
    const line = part.insertRow();
    line.className = "click";
    line.tabIndex = 0;
    cell(line, count(row.at), "n"); cell(line, row.kind); cell(line, row.line, "n"); cell(line, row.text);
    line.addEventListener("click", () => pick(index));
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(index); });
  });
  const SHOWN = 200;
  byId("rows-printed").textContent = data.rows.length > SHOWN ? "Printed: the first " + SHOWN + " of " + count(data.rows.length) + " events." : "";
}

function filterRows() {
  const lines = byId("rows").tBodies[0].rows;
  data.rows.forEach((row, index) => { lines[index].hidden = !byId("show-" + row.kind).checked; });
}

/** Shows an event everywhere: in the line, in the table, its address, its moment. */
function pick(index) {
  const lines = byId("rows").tBodies[0].rows;
  if (picked >= 0) lines[picked].classList.remove("pick");
  picked = index;
  const row = data.rows[index];
  const line = lines[index];
  line.classList.add("pick");
  const pane = line.closest(".scroll");
  if (line.offsetTop < pane.scrollTop || line.offsetTop + line.offsetHeight > pane.scrollTop + pane.clientHeight) {
    pane.scrollTop = line.offsetTop - pane.clientHeight / 2;
  }
  drawTimeline();
  if (row.addr !== null) walkTo(row.addr);
  let moment = 0;
  data.maps.forEach((picture, number) => { if (picture.at <= row.at) moment = number; });
  showMoment(moment);
}

function zoomTime(factor, shift) {
  const width = Math.min(Math.max(1, data.instructions), Math.max(10, (view[1] - view[0]) * factor));
  const focus = picked >= 0 && factor < 1 ? data.rows[picked].at : (view[0] + view[1]) / 2;
  const middle = focus + shift * (view[1] - view[0]);
  const start = Math.max(0, Math.min(data.instructions - width, middle - width / 2));
  view = [Math.round(start), Math.round(start + width)];
  drawTimeline();
}
