// The walk of an address, and the tables as a tree.
const FLAGS = [[63n, "XD", "not executable"], [8n, "G", "global"], [7n, "PS", "large page, or PAT"], [6n, "D", "dirty"], [5n, "A", "accessed"], [4n, "PCD", "not cached"], [3n, "PWT", "write-through"], [2n, "U", "user"], [1n, "W", "writable"], [0n, "P", "present"]];
const isPae = data.tables.levels.length === 3;
/** What an address is cut into: name, lowest bit, number of bits, class. */
const PARTS = isPae
  ? [["PDPT index", 30, 2, "dir"], ["directory index", 21, 9, "dir"], ["table index", 12, 9, "tab"], ["offset", 0, 12, "off"]]
  : [["directory index", 22, 10, "dir"], ["table index", 12, 10, "tab"], ["offset", 0, 12, "off"]];
const indexOf = (addr, [, low, bits]) => (addr >>> low) & ((1 << bits) - 1);
const known = FLAGS.filter(([bit]) => isPae || bit < 32n);

function flags(text) {
  const value = BigInt("0x" + text);
  if (!(value & 1n)) return "not present";
  return known.filter(([bit]) => value >> bit & 1n).map(([, name]) => name).join(" ");
}

function cutUp(addr) {
  const parts = made("div", "parts");
  for (const part of PARTS) {
    const [name, , bits, kind] = part;
    const index = indexOf(addr, part);
    const box = made("div", kind);
    box.append(index.toString(2).padStart(bits, "0"), made("br"), name + " " + index + " (" + index.toString(16).toUpperCase() + "h)");
    parts.append(box);
  }
  return parts;
}

/** Returns the flags that an entry has: one that leads to a table has neither D nor G. */
function namedBits(entry, level) {
  if (isPae && level === 0) return known.filter(([bit]) => [0n, 3n, 4n].includes(bit));
  const isTable = level === PARTS.length - 2;
  const flags = known.map(([bit, name, meaning]) => bit !== 7n ? [bit, name, meaning] : isTable ? [bit, "PAT", "memory type"] : [bit, "PS", "large page"]);
  return entry.c ? flags.filter(([bit]) => bit !== 6n && bit !== 8n) : flags;
}

function entryBox(entry, level) {
  const value = BigInt("0x" + entry.v);
  const isPresent = (value & 1n) === 1n;
  const box = made("div", "entry " + (isPresent ? PARTS[level][3] : "stop"));
  box.append(data.tables.levels[level] + " " + entry.i + " at " + hex(entry.at) + " = " + entry.v);
  const bits = made("div", "bits");
  if (!isPresent) bits.append(made("span", "set", "P=0 not present"), made("span", "", "the other bits are the memory manager's"));
  else for (const [bit, name, meaning] of namedBits(entry, level)) {
    const isSet = (value >> bit & 1n) === 1n;
    bits.append(made("span", isSet ? "set" : "", name + "=" + (isSet ? "1 " + meaning : "0")));
  }
  box.append(bits);
  return box;
}

/** Returns the entries from the top to where the walk ends, and how it ends. */
function descend(addr) {
  const steps = [];
  let entries = data.tables.entries;
  for (let level = 0; level < PARTS.length - 1; level += 1) {
    const index = indexOf(addr, PARTS[level]);
    const entry = entries && entries.find((one) => one.i === index);
    if (!entry) return { steps, end: data.tables.levels[level] + " " + index + " is zero: not present." };
    steps.push(entry);
    const value = BigInt("0x" + entry.v);
    if (!(value & 1n)) return { steps, end: data.tables.levels[level] + " " + index + " is not present." };
    if (entry.c) { entries = entry.c; continue; }
    const shift = BigInt(PARTS[level][1]);
    const base = value & 0xFFFFFFFFF000n & ~((1n << shift) - 1n);
    const physical = base + (BigInt(addr) & ((1n << shift) - 1n));
    return { steps, end: hex(addr) + " is in RAM at " + physical.toString(16).toUpperCase().padStart(8, "0") + "." };
  }
  return { steps, end: "This table was left out of the report." };
}

function regionOf(addr) {
  const last = data.maps[data.maps.length - 1];
  const run = last && last.runs.find((one) => addr >= one.base && addr < one.base + one.size);
  if (!run) return "Region: none, the address is free.";
  return "Region: " + [run.purpose, run.state, run.protection, run.type].filter(Boolean).join(", ") + ", from " + hex(run.base) + " to " + hex(run.base + run.size - 1) + ".";
}

function drawWalk() {
  const walk = byId("walk");
  walk.replaceChildren();
  const text = byId("address").value.trim().replace(/^0x|h$/gi, "");
  if (!/^[0-9a-f]{1,8}$/i.test(text)) { walk.append(made("p", "", "This is no address of 32 bits in hexadecimal.")); return; }
  const addr = parseInt(text, 16);
  const { steps, end } = descend(addr);
  walk.append(made("div", "mono", "CR3 " + hex(data.tables.cr3) + ", address " + hex(addr)), cutUp(addr));
  steps.forEach((entry, level) => walk.append(entryBox(entry, level)));
  walk.append(made("p", "end", end), made("p", "", regionOf(addr)));
}

function walkTo(addr) {
  byId("address").value = hex(addr);
  drawWalk();
}

function tree(entries, level, base) {
  const list = made("div");
  for (const entry of entries) {
    const addr = base + entry.i * 2 ** PARTS[level][1];
    const text = hex(addr) + "  " + data.tables.levels[level] + " " + String(entry.i).padStart(4, "\u00a0") + " = " + entry.v + "  " + flags(entry.v);
    if (!entry.c) {
      const leaf = made("button", "leaf", text);
      leaf.addEventListener("click", () => walkTo(addr));
      list.append(leaf);
      continue;
    }
    const details = made("details");
    details.append(made("summary", "", text + " (" + amount(entry.c.length, "entry", "entries") + ")"));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(tree(entry.c, level + 1, addr)); });
    list.append(details);
  }
  return list;
}
