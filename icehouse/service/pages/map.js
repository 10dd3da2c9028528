// The map: all images as points; choose some and label them at once.
import { Desk, token } from "./desk.js";
import { rgb, Scatter } from "./scatter.js";

const $ = (id) => document.getElementById(id);
const MODES = { v: "move", l: "lasso", b: "box" };
const RESERVED = { 0: "whole", q: "queue", e: "export", u: "undo", Escape: "clear", "?": "help" };
const LETTERS = [..."123456789", ..."acdfghijkmnoprstwxyz"];
const AT_ONCE = 500, SHOWN = 20, ID = 32;
const NONE = { light: "#b5bdc5", dark: "#55606a" }; // of what is in no group, on either ground

const desk = new Desk((waiting, tries) => {
  $("saved").className = waiting ? (tries > 1 ? "lost" : "waiting") : "";
  $("saved").textContent = !waiting ? "all saved"
    : tries > 1 ? "no answer from the server: labels are kept here" : "saving";
}, "map");
desk.saved = () => { if (!desk.outbox.length && $("by").value === "label") draw(); };
desk.refused = (step, words) => say(`Not saved: ${words}`);

let ids = null, groups = null, hidden = new Set(), chosen = [], batches = [], since = performance.now(), over = -1;

function say(words) {
  $("message").textContent = words;
  $("message").hidden = !words;
  if (words) setTimeout(() => { if ($("message").textContent === words) $("message").hidden = true; }, 8000);
}

const scatter = new Scatter($("points"), {
  hover,
  chosen: (indices, more) => choose(more ? [...new Set([...chosen, ...indices])] : indices),
  drawn: () => document.dispatchEvent(new CustomEvent("drawn")),
});

const idOf = (index) => Array.from(ids.subarray(index * ID, (index + 1) * ID), (b) => b.toString(16).padStart(2, "0")).join("");
const nameOf = (index) => (groups.of[index] < 0 ? groups.without : groups.names[groups.of[index]]);

// What is drawn.

async function points() {
  const data = await desk.call("v1/map/points");
  const said = JSON.parse(new TextDecoder().decode(data.slice(4, 4 + new DataView(data).getUint32(0, true))));
  const rest = data.slice(4 + new DataView(data).getUint32(0, true));
  ids = new Uint8Array(rest, 0, ID * said.images);
  scatter.place(new Float32Array(rest, ID * said.images, 2 * said.images));
  $("counts").textContent = `${said.images.toLocaleString()} images, ${said.method}`;
  $("notes").textContent = said.notes.join(" ");
  if (!$("by").options.length)
    $("by").append(...said.groupings.map((name) => new Option(name, name)));
  return said.version;
}

async function draw() {
  try {
    let version = groups?.version ?? await points();
    groups = await desk.call(`v1/map/groups?by=${$("by").value}`);
    if (groups.version !== version) {
      version = await points(); // somebody has made it anew, or images have come
      groups = await desk.call(`v1/map/groups?by=${$("by").value}`);
      groups.version = version;
      choose([]);
    }
    hidden = new Set([...hidden].filter((name) => groups.names.includes(name) || name === groups.without));
    paint();
  } catch (error) { say(error.message); }
}

function paint() {
  const paper = getComputedStyle($("plane")).backgroundColor.match(/\d+/g).slice(0, 3).map(Number);
  const colours = [...groups.colours, paper[0] > 127 ? NONE.light : NONE.dark];
  const names = [...groups.names, groups.without];
  scatter.paint(groups.of, colours.map((colour, i) => (hidden.has(names[i]) ? null : rgb(colour))), paper);
  const colourOf = new Map(names.map((name, i) => [name, colours[i]]));
  $("groups").replaceChildren(...groups.sizes.map(({ group, images }) => {
    const row = document.createElement("li"), button = document.createElement("button");
    const dot = document.createElement("i"), name = document.createElement("span"), count = document.createElement("small");
    dot.style.setProperty("--c", colourOf.get(group));
    name.textContent = name.title = group;
    count.textContent = images.toLocaleString();
    button.setAttribute("aria-pressed", String(!hidden.has(group)));
    button.append(dot, name, count);
    button.onclick = () => { if (!hidden.delete(group)) hidden.add(group); paint(); };
    row.append(button);
    return row;
  }));
}

async function hover(index, x, y) {
  if (index === over) return;
  over = index;
  const box = $("hover"), plane = $("plane").getBoundingClientRect();
  box.hidden = index < 0;
  if (index < 0) return;
  const [image, words] = box.children, left = x - plane.left, top = y - plane.top;
  box.style.left = `${left > plane.width / 2 ? left - 176 : left + 16}px`;
  box.style.top = `${Math.min(Math.max(top - 80, 4), Math.max(plane.height - 200, 4))}px`;
  words.textContent = nameOf(index);
  image.removeAttribute("src");
  try {
    const address = await desk.picture(idOf(index), 320);
    if (over === index) image.src = address;
  } catch (error) { if (over === index) words.textContent = `${nameOf(index)} (no picture)`; }
}

// What is chosen.

function choose(indices) {
  chosen = indices;
  since = performance.now();
  scatter.mark(chosen);
  $("selection").hidden = !chosen.length;
  $("chosen").textContent = `${chosen.length.toLocaleString()} chosen`;
  const some = chosen.filter((_, i) => chosen.length <= SHOWN || i % Math.ceil(chosen.length / SHOWN) === 0);
  $("some").replaceChildren(...some.slice(0, SHOWN).map((index) => {
    const image = new Image();
    image.alt = nameOf(index);
    image.title = image.alt;
    desk.picture(idOf(index), 160).then((address) => { image.src = address; }, () => {});
    return image;
  }));
}

function drawClasses() {
  $("classes").replaceChildren(...desk.about.classes.map((name, place) => {
    const row = document.createElement("li"), button = document.createElement("button");
    const key = document.createElement("kbd"), label = document.createElement("span");
    key.textContent = LETTERS[place] || "";
    key.hidden = !LETTERS[place];
    label.className = "name";
    label.textContent = name;
    button.append(key, label);
    button.setAttribute("aria-label", `Label all chosen images ${name}`);
    button.onclick = () => labelled(name);
    row.append(button);
    return row;
  }));
}

function labelled(name) {
  if (!chosen.length) return say("Choose images first: take the lasso or the box, or hold Shift and drag.");
  const images = chosen.map(idOf), seconds = (performance.now() - since) / 1000 / images.length;
  for (let from = 0; from < images.length; from += AT_ONCE) {
    const some = images.slice(from, from + AT_ONCE);
    desk.send({ path: "v1/review/chosen", body: { image_ids: some } });
    const answers = some.map((image_id) => ({ token: token(), image_id, outcome: "label", labels: [name], note: null, seconds }));
    desk.send({ path: "v1/review/answers", body: { answers } });
  }
  batches.push(images.length);
  say("");
  return choose([]);
}

function ask(words) {
  $("asked").textContent = words;
  $("given").value = "";
  $("ask").returnValue = "";
  $("ask").showModal();
  return new Promise((done) => {
    $("ask").onclose = () => done($("ask").returnValue === "ok" ? $("given").value.trim() : "");
  });
}

const actions = {
  move: () => mode("move"),
  lasso: () => mode("lasso"),
  box: () => mode("box"),
  whole: () => scatter.whole(),
  clear: () => choose([]),
  help: () => $("keys").showModal(),
  undo: () => {
    const count = batches.pop();
    if (!count) return say("Nothing was labelled here since the page was opened.");
    for (let i = 0; i < count; i += 1) desk.send({ path: "v1/review/undo", body: { token: token() } });
    return undefined;
  },
  queue: async () => {
    if (!chosen.length) return;
    try {
      const said = await desk.call("v1/review/queues", { image_ids: chosen.map(idOf) });
      say(`Queue ${said.queue} of ${said.images} images was made: icehouse review ${said.queue}`);
    } catch (error) { say(error.message); }
  },
  export: async () => {
    if (!chosen.length) return;
    try {
      const table = await desk.call("v1/map/table", { image_ids: chosen.map(idOf) });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([table.csv], { type: "text/csv" }));
      link.download = "chosen.csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) { say(error.message); }
  },
};

function mode(name) {
  scatter.mode = name;
  for (const each of Object.values(MODES)) $(each).setAttribute("aria-pressed", String(each === name));
  $("points").classList.toggle("choosing", name !== "move");
}

function keys() {
  const rows = [...desk.about.classes.map((name, place) => [LETTERS[place], `label what is chosen ${name}`]).filter(([key]) => key),
    ["v", "move: drag; zoom with the wheel or two fingers"], ["l", "lasso"], ["b", "box"], ["Shift drag", "lasso, while moving"],
    ["Ctrl", "with a lasso or box: choose these, too"], ["0", "the whole map"], ["arrows + -", "move and zoom"],
    ["Esc", "choose none"], ["q", "make a queue of what is chosen"], ["e", "export it"], ["u", "take the last labels back"], ["?", "this list"]];
  $("key-list").replaceChildren(...rows.flatMap(([key, what]) => {
    const name = document.createElement("dt"), text = document.createElement("dd");
    name.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    text.textContent = what;
    return [name, text];
  }));
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || !desk.about || event.target.closest("select")) return undefined;
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const place = LETTERS.indexOf(event.key), action = MODES[event.key] || RESERVED[event.key];
  if (action) actions[action]();
  else if (place >= 0 && place < desk.about.classes.length) labelled(desk.about.classes[place]);
  else if (!scatter.key(event)) return undefined;
  return event.preventDefault();
});
for (const name of Object.keys(actions)) $(name)?.addEventListener("click", () => actions[name]());
$("by").addEventListener("change", draw);
window.addEventListener("online", () => desk.flush());
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => groups && paint());

async function begin() {
  $("counts").textContent = "reading the map…";
  try {
    const about = await desk.open();
    if (about.anybody && !desk.name) {
      desk.name = (await ask("Your name, which your labels are signed with")) || "anonymous";
      localStorage.setItem("icehouse-name", desk.name);
    }
    document.title = `Map of ${about.task} · icehouse`;
    $("title").textContent = `Map of ${about.task}`;
    drawClasses();
    keys();
    desk.flush();
    await draw();
  } catch (error) {
    say(error.message);
    setTimeout(begin, 2000);
  }
}
begin();
