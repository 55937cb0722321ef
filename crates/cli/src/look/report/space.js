// The address space at a moment: a strip of its runs, and the table of them.
/** Kinds by class: the letter that stands in the picture, and the name. */
const KINDS = { stack: ["S", "stack"], heap: ["H", "heap"], priv: ["P", "private"], map: ["M", "mapped"], img: ["I", "image"], sys: ["Y", "the system's"], res: ["R", "reserved (striped)"], free: ["", "free"] };
const SHORT = {
  PAGE_NOACCESS: "none", PAGE_READONLY: "r", PAGE_READWRITE: "rw", PAGE_WRITECOPY: "rw copy", PAGE_EXECUTE: "x",
  PAGE_EXECUTE_READ: "rx", PAGE_EXECUTE_READWRITE: "rwx", PAGE_EXECUTE_WRITECOPY: "rwx copy", PAGE_GUARD: "g",
};
const STRIP = { top: 4, height: 70, all: 118 };
/** Which part of the strip is shown, from 0 to 1. */
let shown = [0, 1];
let pickedRun = null;

function kindOf(run) {
  if (run.state === "RESERVE") return "res";
  if (run.purpose && /system|kernel|environment/.test(run.purpose)) return "sys";
  if (run.purpose && run.purpose.includes("stack")) return "stack";
  if (run.purpose && run.purpose.includes("heap")) return "heap";
  return { MAPPED: "map", IMAGE: "img" }[run.type] || "priv";
}
const shortly = (protection) => (protection || "").split("|").map((one) => SHORT[one] || one.replace("PAGE_", "").toLowerCase()).join(" ");

/** Returns the runs with the free ones between them, each with its place: the wider the larger, by the logarithm. */
function laidOut(runs) {
  const parts = [];
  let above = 0;
  let at = 0;
  const add = (part, width) => { parts.push({ ...part, from: at, to: at + width }); at += width; };
  for (const run of runs) {
    if (run.base > above) add({ base: above, size: run.base - above, kind: "free" }, 1);
    add({ ...run, kind: kindOf(run) }, 1.5 + Math.log2(run.size / 4096 + 1) / 2);
    above = run.base + run.size;
  }
  for (const part of parts) { part.from /= at; part.to /= at; }
  return parts;
}

function says(part) {
  const size = count(part.size / 1024) + " KiB";
  if (part.kind === "free") return hex(part.base) + ", " + size + " free";
  return [hex(part.base), size, part.purpose, part.state, part.protection, part.type].filter(Boolean).join(", ");
}

function drawRun(svg, part, x, width) {
  const state = part.base === pickedRun ? " picked" : "";
  const rect = drawn("rect", { class: "run " + part.kind + state, x: x.toFixed(1), y: STRIP.top, width: width.toFixed(1), height: STRIP.height });
  rect.append(drawn("title", {}, says(part)));
  rect.dataset.base = part.base;
  rect.addEventListener("click", () => pickRun(part));
  svg.append(rect);
  const LETTER = 7.3;
  const lines = [KINDS[part.kind][0], shortly(part.protection)];
  lines.forEach((text, row) => {
    if (!text || (text.length + 1) * LETTER > width) return;
    svg.append(drawn("text", { class: "no-pointer", x: x + width / 2, y: STRIP.top + 28 + row * 20, "text-anchor": "middle" }, text));
  });
}

function drawStrip(parts) {
  const svg = byId("space");
  const width = sized(svg, STRIP.all);
  const stripes = drawn("pattern", { id: "stripes", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  stripes.append(drawn("rect", { width: 8, height: 8, fill: "var(--bg)" }), drawn("rect", { width: 3, height: 8, fill: "var(--res)" }));
  svg.append(stripes);
  const place = (at) => 1 + (width - 2) * (at - shown[0]) / (shown[1] - shown[0]);
  const LABEL = 68;
  let free = 0;
  for (const part of parts) {
    const x = Math.max(0, place(part.from));
    const end = Math.min(width, place(part.to));
    if (end <= 0 || x >= width) continue;
    drawRun(svg, part, x, end - x);
    if (part.kind === "free" || x < free || x + LABEL > width) continue;
    svg.append(drawn("path", { class: "axis", d: "M" + (x + 0.5).toFixed(1) + " " + (STRIP.top + STRIP.height) + "v8" }));
    svg.append(drawn("text", { x: x.toFixed(1), y: STRIP.top + STRIP.height + 20 }, hex(part.base)));
    free = x + LABEL;
  }
  const from = parts.find((part) => part.to > shown[0]);
  const to = parts.findLast((part) => part.from < shown[1]);
  const range = from && to ? hex(from.base) + " to " + hex(to.base + to.size - 1) : "";
  svg.append(drawn("text", { x: width / 2, y: STRIP.all - 3, "text-anchor": "middle" }, "addresses, " + range));
}

function drawMapRows(parts) {
  const part = byId("map").tBodies[0];
  part.replaceChildren();
  for (const run of parts) {
    if (run.kind === "free") continue;
    const line = part.insertRow();
    line.className = "click" + (run.base === pickedRun ? " pick" : "");
    line.tabIndex = 0;
    line.addEventListener("click", () => pickRun(run));
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") pickRun(run); });
    cell(line, hex(run.base)); cell(line, count(run.size / 1024), "n");
    const [letter, name] = KINDS[run.kind];
    cell(line, "", "w").append(made("span", "swatch " + run.kind, letter), run.kind === "res" ? "reserved" : name);
    cell(line, run.state + (run.type ? " " + run.type : "")); cell(line, run.protection);
    cell(line, count(run.resident), "n"); cell(line, count(run.locked), "n"); cell(line, run.purpose);
  }
}

function drawSpace() {
  const picture = data.maps[Number(byId("moment").value)];
  if (!picture) return;
  byId("moment-name").textContent = "After " + amount(picture.at, "instruction") + ": " + picture.why + ". A run of pages is drawn the wider the larger it is, by its logarithm; free memory between runs is narrow.";
  const parts = laidOut(picture.runs);
  drawStrip(parts);
  drawMapRows(parts);
}

function showMoment(moment) {
  byId("moment").value = moment;
  drawSpace();
}

function pickRun(part) {
  pickedRun = part.base;
  byId("space-note").textContent = says(part) + ".";
  drawSpace();
  if (part.kind !== "free") walkTo(part.base);
}

function zoomSpace(factor, shift) {
  const width = Math.min(1, Math.max(0.01, (shown[1] - shown[0]) * factor));
  let middle = (shown[0] + shown[1]) / 2 + shift * (shown[1] - shown[0]);
  if (pickedRun !== null && factor < 1) {
    const part = laidOut(data.maps[Number(byId("moment").value)].runs).find((one) => one.base === pickedRun);
    if (part) middle = (part.from + part.to) / 2;
  }
  const start = Math.max(0, Math.min(1 - width, middle - width / 2));
  shown = [start, start + width];
  drawSpace();
}

function drawKinds() {
  for (const [kind, [letter, name]] of Object.entries(KINDS)) {
    const one = made("span");
    one.append(made("span", "swatch " + kind, letter || "\u00a0"), name);
    byId("kinds").append(one);
  }
  byId("kinds").append(made("span", "", "r, w, x: may be read, written, executed; g: guard"));
}
