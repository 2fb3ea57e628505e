// Sends pictures that were chosen, dropped or pasted, and shows the answers. Whatever comes from
// outside (names of files and classes) is put into the page as text, never as HTML.
"use strict";

const find = (id) => document.getElementById(id);
const form = find("form"), input = find("pictures"), drop = find("drop");
const mostPictures = Number(document.body.dataset.pictures);
const mostBytes = Number(document.body.dataset.bytes);
let shown = [];

find("drop").querySelector(".title").textContent = "Choose, drop or paste pictures";

function tell(status, error) {
  find("status").textContent = status;
  find("error").textContent = error;
}

function addToken(body) {
  if (find("token")) body.append("token", find("token").value);
}

function clear() {
  shown.forEach(URL.revokeObjectURL);
  shown = [];
  find("results").replaceChildren();
}

function makeBar(one) {
  const row = document.createElement("li");
  const name = document.createElement("bdi");
  const bar = document.createElement("progress");
  const share = document.createElement("span");
  name.textContent = one.name;
  bar.max = 1;
  bar.value = one.probability;
  bar.setAttribute("aria-label", one.name);
  share.textContent = (100 * one.probability).toFixed(1) + " %";
  row.append(name, bar, share);
  return row;
}

function headline(result) {
  if (result.error) return "cannot be used";
  if (result.answer !== null) return result.answer;
  return result.reason.split(":")[0];
}

function show(file, result) {
  const card = find("card").content.cloneNode(true);
  const picture = card.querySelector("img");
  const address = URL.createObjectURL(file);
  shown.push(address);
  // A format that this browser cannot show has no preview, and may have an answer.
  picture.addEventListener("error", () => picture.remove());
  picture.src = address;
  card.querySelector("h2").textContent = file.name || "pasted picture";
  const answer = card.querySelector(".answer");
  answer.textContent = headline(result);
  answer.dir = "auto";
  answer.classList.toggle("none", Boolean(result.error) || result.answer === null);
  // Behind the colon stands how far or how sure; before it is what the headline says.
  card.querySelector(".reason").textContent = result.error || result.reason.split(": ").pop();
  card.querySelector(".bars").append(...(result.classes || []).map(makeBar));
  if (result.classes && "explains" in document.body.dataset) {
    card.querySelector("div").append(makeExplainButton(file, picture));
  }
  find("results").append(card);
}

async function ask(files) {
  const pictures = [...files].filter((file) => file.size);
  clear();
  if (!pictures.length) return tell("", "There is no picture in it.");
  if (pictures.length > mostPictures) return tell("", `At most ${mostPictures} pictures at once.`);
  const large = pictures.find((file) => file.size > mostBytes);
  if (large) return tell("", `${large.name} has more than ${mostBytes} bytes.`);
  const button = form.querySelector("button");
  const body = new FormData();
  pictures.forEach((file) => body.append("pictures", file, "picture"));
  addToken(body);
  button.disabled = true;
  tell("Asking …", "");
  try {
    const response = await fetch("/predict", {
      method: "POST", body, headers: { Accept: "application/json" },
    });
    const said = await response.json();
    if (!said.pictures) throw new Error(said.error);
    pictures.forEach((file, place) => show(file, said.pictures[place]));
    const count = pictures.length;
    tell(count === 1 ? "1 picture looked at." : `${count} pictures looked at.`, "");
  } catch (error) {
    tell("", error.message || "The service cannot be reached.");
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(input.files);
});
input.addEventListener("change", () => {
  if (!find("token") || find("token").value) ask(input.files);
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  ask(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    ask(event.clipboardData.files);
  }
});
