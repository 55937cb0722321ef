// Clicks through the report of fixtures/programs/write_readonly.asm.
const by = (id) => document.getElementById(id);
const click = (element) => element.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const labels = (id) => [...by(id).querySelectorAll("text")].map((text) => text.textContent).join(" ");

function marks() {
  const all = [...document.querySelectorAll("#timeline .mark")];
  click(all[all.length - 1]);
  const picked = document.querySelector("#rows tr.pick");
  return {
    count: all.length, row: picked && picked.cells[3].textContent, address: by("address").value,
    rings: document.querySelectorAll("#timeline .ring").length, moment: by("moment-name").textContent,
  };
}

function zooms() {
  const before = [labels("timeline"), labels("space")];
  click(by("zoom-in"));
  click(by("map-in"));
  const after = [labels("timeline"), labels("space")];
  click(by("zoom-out"));
  click(by("map-out"));
  return { before, after, back: [labels("timeline"), labels("space")] };
}

function filters() {
  const shown = () => [...document.querySelectorAll("#rows tbody tr")].filter((row) => !row.hidden).length;
  const all = shown();
  by("show-call").click();
  const some = shown();
  by("show-call").click();
  return { all, some };
}

function moments() {
  const pages = () => document.querySelectorAll("#map tbody tr").length;
  const last = [by("moment").value, pages()];
  for (let step = 0; step < last[0]; step += 1) click(by("moment-back"));
  const first = [by("moment").value, pages()];
  by("moment").value = last[0];
  by("moment").dispatchEvent(new Event("input"));
  return { first, last, back: pages() };
}

function walks() {
  const at = (text) => {
    by("address").value = text;
    click(by("walk-go"));
    return by("walk").innerText;
  };
  const answers = [at("00401000"), at("0x110004"), at("DEAD0000"), at("nonsense")];
  const branch = document.querySelector("#tables details");
  branch.open = true;
  branch.dispatchEvent(new Event("toggle"));
  click(branch.querySelector("button.leaf"));
  return { answers, leaf: by("address").value, run: document.querySelector("#space .run.img title").textContent };
}

/** Returns where the parts of the page are: left, top, width, height. */
function places() {
  const ids = ["title", "timeline", "rows", "space", "kinds", "map", "walk", "tables", "regions", "instructions"];
  return Object.fromEntries(ids.map((id) => {
    const shown = by(id).closest(".scroll") || by(id);
    const box = shown.getBoundingClientRect();
    return [id, [box.x, box.y, box.width, box.height].map(Math.round)];
  }));
}

tell({ marks: marks(), zooms: zooms(), filters: filters(), moments: moments(), walks: walks(), places: places(), judged: judged(document) });
