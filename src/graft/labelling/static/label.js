// Asks about one picture after the other. An answer counts when the server has said so: it is on
// the disk then. Names of files, classes and people are put into the page as text, never as HTML.
"use strict";

const find = (id) => document.getElementById(id);
const aboutLabels = "aboutLabels" in document.body.dataset;
const asked = new URLSearchParams(location.search).get("name");
let state = null, view = "one", group = "", busy = false;
// The row of the picture on the screen, and whether it can be seen: before, no key answers it.
let shownRow = null, isSeen = false;

find("name").value = asked || document.body.dataset.name;

function tell(status, error = "") {
  find("status").textContent = status;
  find("error").textContent = error;
}

function add(parent, tag, text = "") {
  const one = document.createElement(tag);
  one.textContent = text;
  parent.append(one);
  return one;
}

const address = (row, size) => `picture/${size}/${row}`;

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error);
  return said;
}

// One request at a time: a key that is pressed twice answers one picture.
async function ask(path, body = {}, status = "") {
  if (busy) return false;
  busy = true;
  try {
    state = await post(path, { name: find("name").value, view, group, ...body });
    show(status);
    return true;
  } catch (error) {
    const isAway = error instanceof TypeError;
    tell("", isAway ? "kedro label does not answer: what was confirmed is kept. Start it again and open its new address." : error.message);
    return false;
  } finally {
    busy = false;
  }
}

function show(status) {
  const { done, total, estimate, disputed, damaged } = state;
  group = state.group;
  find("progress").value = total ? done / total : 1;
  find("count").textContent = `${done} of ${total}`;
  find("disputed").textContent = disputed ? `(${disputed})` : "";
  find("estimate").textContent = estimate;
  document.querySelectorAll(".view").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.view === view)));
  const empty = !state.questions.length;
  find("one").hidden = empty || view !== "one";
  find("grid").hidden = empty || view !== "grid";
  find("quarrels").hidden = empty || view !== "disputed";
  find("done").hidden = !empty;
  showClasses();
  if (empty) find("done").textContent = tellEnd(done, total);
  else ({ one: showOne, grid: showGrid, disputed: showDisputes })[view]();
  const torn = damaged ? `Lines of the file that are cut short or no answers, and ignored: ${damaged}. ` : "";
  tell(torn + [status, empty ? find("done").textContent : tellQuestion()].filter(Boolean).join(" "));
}

function tellEnd(done, total) {
  if (view === "disputed") return "Nobody disagrees.";
  if (view === "grid" && done < total) return "Nothing is left to be accepted at once; go on one by one.";
  return "All are answered. kedro run takes the answers; kedro run --pipelines=label_next makes a new list.";
}

function tellQuestion() {
  if (view !== "one") return "";
  const { name, label, suggestion } = state.questions[0];
  const thought = suggestion ? `, maybe ${suggestion}` : "";
  return `Next: ${name}${label ? `, called ${label}` : ""}${thought}.`;
}

function showOne() {
  const question = state.questions[0];
  const picture = find("picture");
  if (shownRow !== question.row) {
    shownRow = question.row;
    isSeen = false;
    picture.src = address(question.row, "large");
    picture.alt = `The picture ${question.name}`;
    find("beside").hidden = true;
    showBeside(question);
  }
  find("file").textContent = question.name;
  find("reason").textContent = question.reason ? `(${question.reason})` : "";
  find("suggestion").textContent = question.suggestion;
  if (aboutLabels) find("label").textContent = question.label;
  else find("suggested").hidden = !question.suggestion;
  document.querySelector("[data-do=accept]").disabled = !question.suggestion;
  // The next ones are here when they are asked about.
  state.upcoming.forEach((row) => { new Image().src = address(row, "large"); });
}

// The first nine have keys; where classes are called 0 to 9, each has its own.
function findKey(name, place) {
  const isDigit = (one) => /^[0-9]$/.test(one);
  if (state.classes.some(isDigit)) return isDigit(name) ? name : "";
  return place < 9 ? String(place + 1) : "";
}

function showClasses() {
  const shown = [...find("known").children].map((one) => one.value);
  if (JSON.stringify(shown) === JSON.stringify(state.classes)) return;
  find("known").replaceChildren();
  find("classes").replaceChildren();
  state.classes.forEach((name, place) => {
    add(find("known"), "option").value = name;
    const button = add(add(find("classes"), "li"), "button");
    button.type = "button";
    button.className = "quiet";
    const key = findKey(name, place);
    if (key) add(button, "kbd", key);
    add(button, "bdi", name);
    button.addEventListener("click", () => give(name));
  });
}

async function showBeside(question) {
  if (!aboutLabels) return;
  const said = await post(`beside/${question.row}`, {});
  if (shownRow !== question.row) return;
  const list = document.querySelector("#beside .nearest ul");
  list.replaceChildren();
  said.nearest.forEach((one) => {
    const item = add(list, "li");
    const image = add(item, "img");
    image.src = address(one.row, "small");
    image.alt = "";
    add(item, "bdi", one.label);
    item.append(` ${one.similarity.toFixed(2)} alike`);
  });
  document.querySelector("#beside .nearest").hidden = !said.nearest.length;
  showHeat(said);
  find("beside").hidden = !said.nearest.length && !said.heat;
}

async function showHeat(said) {
  const canvas = document.querySelector("#beside canvas");
  const caption = document.querySelector("#beside figcaption");
  const place = said.heat ? nameHottest(said.heat) : "";
  canvas.hidden = !place;
  caption.replaceChildren();
  if (!place) return caption.append("The report has no heat map of this picture.");
  await find("picture").decode().catch(() => {});
  drawHeat(canvas, said.heat, find("picture"));
  canvas.setAttribute("aria-label", "Heat map");
  caption.append("The brighter, the more speaks for ");
  add(caption, "bdi", said.heat_class);
  caption.append(`; most at the ${place}.`);
}

function showGrid() {
  const select = find("group");
  select.replaceChildren();
  Object.entries(state.groups).forEach(([name, count]) => {
    const option = add(select, "option", `${name} (${count})`);
    option.value = name;
    option.selected = name === group;
  });
  find("tiles").replaceChildren();
  state.questions.forEach((question) => {
    const tile = find("tile").content.cloneNode(true);
    tile.querySelector("img").src = address(question.row, "small");
    tile.querySelector(".file").textContent = question.name;
    const box = tile.querySelector("input");
    box.value = question.row;
    box.addEventListener("change", countTiles);
    find("tiles").append(tile);
  });
  countTiles();
}

const boxes = (isChecked) => [...find("tiles").querySelectorAll("input")]
  .filter((box) => box.checked === isChecked).map((box) => Number(box.value));

function countTiles() {
  const count = boxes(true).length;
  find("accept").textContent = count ? `Accept ${count} as ${group}` : "None of them";
}

function acceptGrid() {
  const accepted = boxes(true), left = boxes(false);
  if (!accepted.length) return ask("skip", { rows: left });
  const answers = accepted.map((row) => ({ row, action: "relabel", new_label: group }));
  return ask("answer", { answers, left_out: left }, `${accepted.length} accepted as ${group}.`);
}

function showDisputes() {
  find("disputes").replaceChildren();
  state.questions.forEach((question) => {
    const part = find("dispute").content.cloneNode(true);
    part.querySelector("img").src = address(question.row, "small");
    part.querySelector("img").alt = `The picture ${question.name}`;
    part.querySelector("h2").textContent = question.name;
    const told = part.querySelector(".told");
    question.answers.forEach((one) => add(add(told, "li"), "bdi", one.told));
    const choices = part.querySelector(".choices");
    new Map(question.answers.map((one) => [one.new_label || one.action.replaceAll("_", " "), one]))
      .forEach((one, name) => {
        const button = add(choices, "button", name);
        button.addEventListener("click", () => settle(question, one.action, one.new_label));
      });
    const other = add(choices, "input");
    other.setAttribute("list", "known");
    other.setAttribute("aria-label", `Another class for ${question.name}`);
    const button = add(choices, "button", "Another class");
    button.className = "quiet";
    button.addEventListener("click", async () => {
      const { name, isNew } = await nameClass(other.value);
      if (name) settle(question, "relabel", name, isNew);
    });
    find("disputes").append(part);
  });
}

function settle(question, action, label, isNew = false) {
  return ask("answer", {
    answers: [{ row: question.row, action, new_label: label }], settles: true, is_new: isNew,
    seen: question.answers.map((one) => one.told),
  }, `${question.name}: settled as ${label || action.replaceAll("_", " ")}.`);
}

function say(action, label = "", isNew = false) {
  if (view !== "one" || !isSeen || !state || !state.questions.length) return false;
  const { row, name } = state.questions[0];
  const told = label || action.replaceAll("_", " ");
  const answers = [{ row, action, new_label: label }];
  return ask("answer", { answers, is_new: isNew }, `${name}: ${told}.`);
}

// The class that is meant by what was typed; one that nobody has used is asked about once more.
async function nameClass(typed) {
  const name = typed.normalize("NFC").trim();
  if (!name) return {};
  const same = state.classes.find((one) => one === name)
    || state.classes.find((one) => one.toLowerCase() === name.toLowerCase());
  if (same) return { name: same, isNew: false };
  find("unknown").textContent = name;
  find("new").returnValue = "";
  find("new").showModal();
  await new Promise((end) => find("new").addEventListener("close", end, { once: true }));
  return find("new").returnValue === "yes" ? { name, isNew: true } : {};
}

async function give(typed) {
  const { name, isNew } = await nameClass(typed);
  if (name && await say("relabel", name, isNew)) find("class").value = "";
}

async function undo() {
  if (!await ask("undo")) return;
  const taken = state.taken_back;
  shownRow = null;
  if (!state.questions.length || view !== "one") show("");
  else showOne();
  tell(taken.length ? `Taken back: ${taken.join(", ")}. ${tellQuestion()}` : "There is nothing to take back.");
}

const ACTIONS = {
  accept: () => view === "grid" ? acceptGrid() : give(state.questions[0]?.suggestion || ""),
  keep: () => say("keep"),
  drop: () => say("drop"),
  none: () => say("none_of_these"),
  broken: () => say("broken"),
  skip: () => view === "one" && state.questions.length
    && ask("skip", { rows: [state.questions[0].row] }, "Skipped."),
  undo,
};
const KEYS = { Enter: "accept", n: "none", b: "broken", s: "skip", u: "undo" };
if (aboutLabels) Object.assign(KEYS, { k: "keep", r: "accept", d: "drop" });

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input:not([type=checkbox]), select, dialog *");
  const isControl = event.target.matches("button, input, select, summary, a");
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || isTyping || !state) return;
  if (event.key === "Enter" && isControl) return;
  if (event.key !== "Enter" && !find("keys").checked) return;
  if (event.key === "/" && view === "one") {
    event.preventDefault();
    find("class").focus();
  } else if (/^[0-9]$/.test(event.key) && view === "one") {
    const name = state.classes.find((one, place) => findKey(one, place) === event.key);
    if (name !== undefined) give(name);
  } else if (KEYS[event.key]) {
    event.preventDefault();
    ACTIONS[KEYS[event.key]]();
  }
});
document.querySelectorAll("[data-do]").forEach((button) =>
  button.addEventListener("click", () => ACTIONS[button.dataset.do]()));
document.querySelectorAll(".view").forEach((button) => button.addEventListener("click", () => {
  view = button.dataset.view;
  ask("show");
}));
find("typed").addEventListener("submit", (event) => {
  event.preventDefault();
  give(find("class").value);
});
find("class").addEventListener("keydown", (event) => {
  if (event.key === "Escape") find("class").blur();
});
find("accept").addEventListener("click", acceptGrid);
find("group").addEventListener("change", () => {
  group = find("group").value;
  ask("show");
});
find("name").addEventListener("change", () => ask("show"));
for (const end of ["load", "error"]) {
  find("picture").addEventListener(end, () => { isSeen = true; });
}
find("picture").addEventListener("error", () => {
  find("reason").textContent = "(cannot be shown: it has changed or is gone since the last run)";
});
ask("show");
