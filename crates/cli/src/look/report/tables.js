// Counts by region, instruction and source line; exceptions; and what happens on load.
function drawRegions() {
  for (const region of data.regions) {
    const line = byId("regions").tBodies[0].insertRow();
    cell(line, region.base ? hex(region.base) : "none"); cell(line, region.purpose);
    cell(line, count(region.misses), "n"); cell(line, count(region.faults), "n");
  }
}

function drawInstructions() {
  for (const one of data.instructions_by_count) {
    const line = byId("instructions").tBodies[0].insertRow();
    cell(line, hex(one.eip)); cell(line, one.symbol); cell(line, one.line, "n"); cell(line, one.text);
    cell(line, count(one.runs), "n"); cell(line, count(one.misses), "n"); cell(line, count(one.faults), "n");
  }
}

function drawSource() {
  const part = byId("source").tBodies[0];
  const most = Math.max(1, ...data.source.map((line) => line.runs));
  let file = null;
  for (const one of data.source) {
    if (one.file !== file) {
      file = one.file;
      cell(part.insertRow(), file).colSpan = 5;
    }
    const line = part.insertRow();
    const heat = one.runs ? 0.1 + 0.5 * Math.log(one.runs + 1) / Math.log(most + 1) : 0;
    cell(line, count(one.runs), "n").style.background = "rgba(var(--heat)," + heat.toFixed(2) + ")";
    cell(line, one.misses ? count(one.misses) : "", "n"); cell(line, one.faults ? count(one.faults) : "", "n");
    cell(line, one.line, "n"); cell(line, one.text, "code");
  }
  if (!data.source.length) byId("source").replaceWith("There is no source: the program was not assembled from one.");
}

function drawExceptions() {
  data.exceptions.forEach((one, index) => {
    const details = made("details");
    details.open = index === data.exceptions.length - 1;
    details.append(made("summary", "", (index + 1) + ": " + one.name + ", after " + amount(one.at, "instruction")), made("pre", "", one.text));
    byId("exceptions").append(details);
  });
  if (!data.exceptions.length) byId("exceptions").textContent = "None was raised.";
}

function listen() {
  for (const kind of Object.keys(LANES)) byId("show-" + kind).addEventListener("change", () => { drawTimeline(); filterRows(); });
  const clicks = {
    "zoom-in": () => zoomTime(0.5, 0), "zoom-out": () => zoomTime(2, 0), left: () => zoomTime(1, -0.4), right: () => zoomTime(1, 0.4),
    "map-in": () => zoomSpace(0.5, 0), "map-out": () => zoomSpace(2, 0), "map-left": () => zoomSpace(1, -0.4), "map-right": () => zoomSpace(1, 0.4),
    "moment-back": () => showMoment(Number(byId("moment").value) - 1), "moment-on": () => showMoment(Number(byId("moment").value) + 1),
    "walk-go": drawWalk,
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("moment").addEventListener("input", drawSpace);
  byId("address").addEventListener("keydown", (event) => { if (event.key === "Enter") drawWalk(); });
  const redraw = () => { drawTimeline(); drawSpace(); };
  window.addEventListener("resize", redraw);
}

function start() {
  summary();
  drawKinds();
  for (const letters of document.querySelectorAll(".letters")) letters.textContent = known.slice().reverse().map(([, name, meaning]) => name + " " + meaning).join(", ") + ". A line without more below it shows its walk when it is clicked.";
  byId("moment").max = Math.max(0, data.maps.length - 1);
  byId("moment").value = byId("moment").max;
  const last = data.rows.findLast((row) => row.addr !== null);
  drawTimeline(); drawRows(); drawSpace(); walkTo(last ? last.addr : 0x401000);
  byId("tables").append(tree(data.tables.entries, 0, 0));
  drawRegions(); drawInstructions(); drawSource(); drawExceptions();
  listen();
}
start();
