"use strict";
// What all pictures use: the data, elements, numbers.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const hex = (value, digits = 8) => Number(value).toString(16).toUpperCase().padStart(digits, "0");
const count = (value) => value.toLocaleString("en-US");
const amount = (number, one, many = one + "s") => count(number) + " " + (number === 1 ? one : many);
const SVG = "http://www.w3.org/2000/svg";

/** Returns an element of a picture. */
function drawn(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Returns an element of the page. */
function made(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Adds a cell to a row of a table. */
function cell(row, text, className) {
  const element = row.insertCell();
  element.textContent = text === null || text === undefined ? "" : text;
  if (className) element.className = className;
  return element;
}

/** Gives a picture as many units as it has pixels, so that its text is as large as all other text. */
function sized(svg, height) {
  const width = Math.max(320, Math.round(svg.clientWidth) || 1000);
  svg.setAttribute("viewBox", "0 0 " + width + " " + height);
  svg.replaceChildren();
  return width;
}

function summary() {
  const s = data.statistics;
  document.title = data.program + " - pagefault report";
  byId("title").textContent = data.program + " " + data.outcome;
  const sum = (kinds) => kinds.reads + kinds.writes + kinds.fetches;
  const faults = Object.values(s.page_faults).reduce((total, kinds) => total + sum(kinds), 0);
  let text = [amount(data.instructions, "instruction"), count(sum(s.accesses)) + " accesses", amount(s.walks, "walk"), amount(faults, "page fault")].join(", ") + ".";
  if (data.left_out) text += " " + amount(data.left_out, "later event is", "later events are") + " left out of the pictures; the counts are complete.";
  byId("summary").textContent = text;
}
