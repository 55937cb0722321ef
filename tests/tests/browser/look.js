"use strict";
// What a reader would be annoyed by, found by measuring. Runs in the browser.

/** The least contrast of text that WCAG 2 allows, level AA. */
const LEAST_CONTRAST = 4.5;
/** Boxes that meet by less than this many pixels do not overlap for a reader. */
const SLACK = 1.5;

function channels(color) {
  const numbers = color.match(/[\d.]+/g);
  if (!numbers || !color.startsWith("rgb")) return null;
  const [r, g, b, a = 1] = numbers.map(Number);
  return { r, g, b, a };
}

/** Returns one colour painted on another. */
function painted(top, below) {
  const mix = (channel) => top[channel] * top.a + below[channel] * (1 - top.a);
  return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
}

function luminance({ r, g, b }) {
  const [x, y, z] = [r, g, b].map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

/** Returns what lies below a text of a picture, from the top. */
function shapesBelow(text, style) {
  const box = text.getBoundingClientRect();
  const found = text.ownerDocument.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const shapes = found.filter((one) => ["rect", "path"].includes(one.tagName));
  return shapes.map((shape) => {
    const paint = style(shape);
    const color = channels(paint.fill);
    return color && { ...color, a: color.a * Number(paint.fillOpacity) };
  }).filter(Boolean);
}

/** Returns the colour that a text is read on. */
function ground(text, style) {
  const layers = text.tagName === "text" ? shapesBelow(text, style) : [];
  for (let one = text; one && one.tagName !== "text"; one = one.parentElement) {
    const color = channels(style(one).backgroundColor);
    if (color) layers.push(color);
  }
  if (text.tagName === "text") {
    for (let one = text.closest("svg"); one; one = one.parentElement) {
      const color = channels(style(one).backgroundColor);
      if (color) layers.push(color);
    }
  }
  return layers.reduceRight((below, top) => painted(top, below), { r: 255, g: 255, b: 255, a: 1 });
}

const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());

/** Returns a text whose letters hardly differ from what is behind them, with its contrast. */
function faint(doc) {
  const style = (element) => doc.defaultView.getComputedStyle(element);
  const texts = [...doc.querySelectorAll("body *, text")].filter((one) => {
    if (["SCRIPT", "STYLE", "NOSCRIPT", "style", "title", "tspan"].includes(one.tagName)) return false;
    return (hasText(one) || one.tagName === "text") && one.getClientRects().length > 0;
  });
  return texts.flatMap((text) => {
    const paint = style(text);
    const ink = channels(text.tagName === "text" ? paint.fill : paint.color);
    const ratio = contrast(ink, ground(text, style));
    return ratio < LEAST_CONTRAST ? [text.textContent.slice(0, 40) + ": " + ratio.toFixed(1)] : [];
  });
}

function overlapping(svg) {
  const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  return texts.flatMap(([name, box], index) => texts.slice(index + 1).filter(([, other]) => {
    const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
    const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
    // The boxes of letters have room above and below the ink.
    return across > SLACK && down > SLACK + 3;
  }).map(([other]) => name + " / " + other));
}

function outside(svg) {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - SLACK || box.right > frame.right + SLACK || box.top < frame.top - SLACK || box.bottom > frame.bottom + SLACK;
  }).map((text) => text.textContent);
}

/** Returns what annoys in a document, and what its pictures say. */
function judged(doc) {
  const pictures = [...doc.querySelectorAll("svg")];
  const root = doc.documentElement;
  return {
    overlapping: pictures.flatMap(overlapping),
    outside: pictures.flatMap(outside),
    faint: faint(doc),
    hidden: root.scrollWidth - root.clientWidth,
    words: pictures.flatMap((svg) => [...svg.querySelectorAll("text")].map((text) => text.textContent)),
  };
}

/** Puts the findings into the page, where the dump of the page has them, and ends on the console. */
function tell(findings) {
  const element = document.createElement("pre");
  element.id = "findings";
  element.hidden = true;
  element.textContent = JSON.stringify(findings);
  document.body.append(element);
  console.error("the probe has come to its end");
}
