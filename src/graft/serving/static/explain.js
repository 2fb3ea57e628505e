// What a picture's answer comes from, when a person asks: heat over the picture, and the nearest
// pictures of training. It is said in words too, for who does not see it.
"use strict";

const LONGEST = 480; // pixels of the longer side that heat is drawn over
// From nothing to most: dark violet, green, yellow, told apart without seeing colours too.
const COLOURS = [[68, 1, 84], [33, 145, 140], [253, 231, 37]];

function mixColour(share) {
  const place = Math.min(share, 0.9999) * (COLOURS.length - 1);
  const low = Math.floor(place), part = place - low;
  return COLOURS[low].map((value, channel) =>
    Math.round(value + part * (COLOURS[low + 1][channel] - value)));
}

// Where in the picture most speaks for the class, in words.
function nameHottest(heat) {
  let best = 0, row = 0, column = 0;
  heat.forEach((line, y) => line.forEach((value, x) => {
    if (value > best) [best, row, column] = [value, y, x];
  }));
  if (!best) return "";
  const third = (place, count) => Math.floor(3 * (place + 0.5) / count);
  const upDown = ["top", "middle", "bottom"][third(row, heat.length)];
  const leftRight = ["left", "", "right"][third(column, heat[0].length)];
  return [upDown, leftRight].filter(Boolean).join(" ");
}

function drawHeat(canvas, heat, picture) {
  const shown = picture.naturalWidth > 0; // not every browser shows every format
  const width = shown ? picture.naturalWidth : 1, height = shown ? picture.naturalHeight : 1;
  const scale = LONGEST / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const small = new ImageData(heat[0].length, heat.length);
  heat.flat().forEach((value, place) => small.data.set([...mixColour(value), 255], 4 * place));
  const cells = document.createElement("canvas");
  [cells.width, cells.height] = [small.width, small.height];
  cells.getContext("2d").putImageData(small, 0, 0);
  const pen = canvas.getContext("2d");
  if (shown) {
    pen.filter = "grayscale(1)";
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.filter = "none";
    pen.globalAlpha = 0.55;
  }
  // The network sees a picture squashed to a square, so heat covers all of it.
  pen.drawImage(cells, 0, 0, canvas.width, canvas.height);
}

function makeNeighbour(one) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  const name = document.createElement("bdi");
  const bytes = Uint8Array.from(atob(one.jpeg), (letter) => letter.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  image.addEventListener("load", () => URL.revokeObjectURL(address));
  image.src = address;
  image.alt = "";
  name.textContent = one.class_name;
  item.append(image, name, ` ${one.distance.toFixed(2)} away`);
  return item;
}

function makeExplanation(said, picture) {
  const part = document.getElementById("explanation").content.cloneNode(true);
  const section = part.querySelector("section");
  section.setAttribute("aria-label", "Explanation");
  const place = said.heat ? nameHottest(said.heat) : "";
  if (place) {
    drawHeat(part.querySelector("canvas"), said.heat, picture);
    const name = document.createElement("bdi");
    name.textContent = said.class_name;
    part.querySelector("canvas").setAttribute("aria-label", "Heat map");
    part.querySelector("figcaption").append(
      "The brighter, the more speaks for ", name, `; most at the ${place}.`);
  } else {
    part.querySelector("canvas").remove();
    part.querySelector("figcaption").textContent =
      said.heat ? "Nothing in the picture speaks for it." : "";
  }
  part.querySelector("ul").append(...said.nearest.map(makeNeighbour));
  if (!said.nearest.length) part.querySelector(".nearest").remove();
  return section;
}

async function fetchExplanation(file) {
  const body = new FormData();
  body.append("pictures", file, "picture");
  addToken(body);
  const response = await fetch("/explain", { method: "POST", body });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error);
  return said.pictures[0];
}

function makeExplainButton(file, picture) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "explain";
  button.textContent = "Why?";
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell("Looking …", "");
    try {
      const section = makeExplanation(await fetchExplanation(file), picture);
      button.replaceWith(section);
      section.focus();
      tell("Explained.", "");
    } catch (error) {
      button.disabled = false;
      tell("", error.message || "The service cannot be reached.");
    }
  });
  return button;
}
