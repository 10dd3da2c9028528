// The page: one image after another, or a grid of them, all by keys.
import { Desk, token } from "./desk.js";
import { Grid } from "./grid.js";
import { listKeys } from "./keys.js";
import { drawTeam } from "./team.js";

const $ = (id) => document.getElementById(id);
const AHEAD = 8, MOST = 200; // images that are asked for at once
const RESERVED = { s: "skip", x: "unsure", u: "undo", n: "new-class", m: "note", g: "to-grid", r: "refit", "?": "help", "/": "find" };
const LETTERS = [..."123456789", ..."abcdefhijklopqtvwyz"];

const items = [];      // that are ours to answer, the present one first
const done = [];       // answered since the page was opened, for undo
let note = null, chosen = new Set(), since = performance.now(), dry = false, fetching = null, after = null, undone = 0, skipped = 0, standing = null;
const undoes = (step) => step.path.endsWith("undo");

const desk = new Desk((waiting, tries) => {
  const saved = $("saved");
  saved.className = waiting ? (tries > 1 ? "lost" : "waiting") : "";
  saved.textContent = !waiting ? "all saved"
    : tries > 1 ? `no answer from the server: ${waiting} kept here` : `saving ${waiting}`;
});
desk.saved = (step, said) => {
  document.dispatchEvent(new CustomEvent("saved", { detail: step }));
  for (const one of said.recorded || []) compare(one, step.body.answers.find((each) => each.image_id === one.image_id));
  if (!items.length || undoes(step)) fill(true).then(refresh);
  look();
};
desk.refused = (step, words) => {
  say(`Not saved: ${words}`);
  for (const { image_id } of step.body.answers || []) {
    const place = done.findLastIndex((each) => each.item.image_id === image_id);
    if (place >= 0) done.splice(place, 1); // there is nothing of it to take back
    desk.release(image_id);
  }
  fill(true).then(refresh);
};
const grid = new Grid(desk, $("cells"), $("chosen"));

// What other people have said of the same image, where it is something else.
function compare({ image_id, others }, { labels }) {
  const key = done.find((each) => each.item.image_id === image_id)?.item.key ?? "the same image";
  for (const [who, said] of others)
    if (labels.length && said.join() !== labels.join()) say(`${key}: ${who} said ${said.join(", ")}, you ${labels.join(", ")}`);
}

function say(words) {
  $("message").textContent = words;
  $("message").hidden = !words;
  if (words) setTimeout(() => { if ($("message").textContent === words) $("message").hidden = true; }, 8000);
}

async function fill(always = false, again = false) {
  if (fetching) { // which may have asked for less
    after ||= fetching.catch(() => {}).then(() => { after = null; return fill(true, again); });
    return after;
  }
  const want = grid.open ? 24 : AHEAD;
  if (items.length >= want && !always) return undefined;
  fetching = (async () => {
    const before = undone;
    const waiting = new Set(desk.outbox.flatMap((step) => (step.body.answers || []).map((a) => a.image_id)));
    const count = Math.max(want, items.length) + waiting.size;
    const said = await desk.call("v1/review/next", { count: Math.min(count, MOST), skipped: again });
    const here = new Set(items.map((item) => item.image_id));
    const fresh = said.items.filter((item) => !here.has(item.image_id) && !waiting.has(item.image_id)
      && (again || !done.some((each) => each.item.image_id === item.image_id)));
    // What was taken back is ours only when the server has heard of it.
    if (count <= MOST && before === undone && !desk.outbox.some(undoes)) drop(new Set(said.items.map((item) => item.image_id)));
    items.push(...fresh);
    dry = fresh.length === 0 && waiting.size === 0;
    skipped = said.skipped;
    for (const item of fresh) desk.picture(item.image_id, 1280).catch(() => {});
  })();
  try { await fetching; } catch (error) { say(error.message); } finally { fetching = null; }
  return undefined;
}

// What is not ours any more, because it was forgotten or somebody else has it, is shown no longer.
function drop(ours) {
  const gone = items.filter((item) => !ours.has(item.image_id));
  if (!gone.length) return;
  const shown = items[0];
  for (const item of gone) {
    items.splice(items.indexOf(item), 1);
    desk.release(item.image_id);
  }
  if (grid.open || items[0] !== shown) setTimeout(show); // after what has come beside it
}

// A task that waits for a frame comes right after it has been painted.
function painted(then) {
  const task = new MessageChannel();
  task.port1.onmessage = then;
  requestAnimationFrame(() => task.port2.postMessage(null));
}

const next = new Image(); // decoded while a person looks at the one before

async function show() {
  const item = items[0];
  $("grid").hidden = !grid.open;
  $("single").hidden = grid.open || !item;
  $("end").hidden = grid.open || Boolean(item) || !dry;
  drawEnd();
  if (grid.open) {
    drawBulk();
    return grid.show(items);
  }
  if (!item) return undefined;
  since = performance.now();
  note = null;
  chosen = new Set();
  $("noted").hidden = true;
  $("caption").textContent = `${item.key}  ·  ${item.dataset}  ·  ${item.image_id.slice(0, 12)}`;
  $("picture").alt = item.key;
  drawWhy(item);
  drawClasses(item);
  drawNear(item);
  try {
    const address = await desk.picture(item.image_id, 1280);
    if (items[0] !== item) return undefined;
    $("picture").src = address;
    await $("picture").decode();
    painted(() => document.dispatchEvent(new CustomEvent("painted", { detail: item.image_id })));
    const following = items[1];
    if (!following) return undefined;
    const coming = await desk.picture(following.image_id, 1280);
    if (items[1] === following) next.src = coming; // else it may have been let go of meanwhile
  } catch (error) {
    say(`${item.key} cannot be shown: ${error.message}`);
  }
  return undefined;
}

function drawWhy(item) {
  const { why, said } = item;
  const words = [];
  if (why.reason) words.push(`${why.reason[0].toUpperCase()}${why.reason.slice(1)}.`);
  for (const { by, labels, note } of (why.said || []).slice(0, -1))
    words.push(`So did ${by}${labels.length ? `: ${labels.join(", ")}` : ""}${note ? ` (“${note}”)` : ""}.`);
  if (why.predicted) words.push(`${why.head} said ${why.predicted.join(", ") || "no label"} (${why.probability.toFixed(2)}).`);
  if (said) words.push(`Labelled ${said.labels.join(", ") || "with nothing"} by ${said.by}.`);
  if (item.reviewers > 1) words.push(`${item.reviewers} people are asked.`);
  $("why").textContent = words.join(" ");
}

function keyOf(place) { return LETTERS[place] || ""; }

function drawClasses(item) {
  const p = new Map(item.bars);
  const rows = desk.about.classes.map((name, place) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    const value = p.get(name);
    if (item.said?.labels.includes(name)) button.className = "said";
    button.innerHTML = "<kbd></kbd><span class=name></span><span class=bar><i></i></span><span class=p></span>";
    const [key, label, bar, number] = button.children;
    key.textContent = keyOf(place);
    key.hidden = !keyOf(place);
    label.textContent = name;
    bar.firstChild.style.width = `${100 * (value || 0)}%`;
    number.textContent = value === undefined ? "" : value.toFixed(2);
    button.setAttribute("aria-label", value === undefined ? name : `${name}, probability ${value.toFixed(2)}`);
    if (several()) button.setAttribute("aria-pressed", String(chosen.has(name)));
    button.onclick = () => pick(name);
    row.append(button);
    return row;
  });
  $("classes").replaceChildren(...rows);
  $("confirm").hidden = !several();
}

// The grid's classes, which need no keys; and what else is done to all that is chosen.
function drawBulk() {
  const buttons = [...desk.about.classes.map((name, place) => [name, keyOf(place), () => pick(name)]),
    ["Skip", "s", actions.skip], ["Cannot tell", "x", actions.unsure], ["Undo", "u", actions.undo]];
  $("bulk-classes").replaceChildren(...buttons.map(([name, key, act]) => {
    const button = document.createElement("button"), hint = document.createElement("kbd");
    hint.textContent = key;
    hint.hidden = !key;
    button.append(name, hint);
    button.onclick = act;
    return button;
  }));
}

function strip(name, some) {
  const row = document.createElement("div");
  row.className = "row";
  const title = document.createElement("b");
  title.textContent = name;
  const pictures = document.createElement("div");
  for (const near of some) {
    const image = new Image();
    image.alt = `${near.labels.join(", ") || "no label"}, cosine ${near.similarity.toFixed(2)}`;
    image.title = image.alt;
    desk.picture(near.image_id, 160).then((address) => { image.src = address; }, () => image.remove());
    pictures.append(image);
  }
  row.append(title, pictures);
  return row;
}

function drawNear(item) {
  $("near").replaceChildren(...Object.entries(item.near).map(([name, some]) => strip(name, some)));
  $("alike").hidden = !item.alike.length;
  $("alike").replaceChildren(...(item.alike.length ? [strip("nearly the same", item.alike)] : []));
}

const several = () => desk.about.kind === "multi";

function pick(name) {
  if (grid.open) return label(grid.take(), [name]);
  if (!several()) return label(items.slice(0, 1), [name]);
  if (!chosen.delete(name)) chosen.add(name);
  drawClasses(items[0]);
  return undefined;
}

function label(some, labels) { answer(some, "label", labels); }

function answer(some, outcome, labels = []) {
  if (!some.length) return say(grid.open ? "Choose images first: click, drag, or Shift with arrows." : "");
  const seconds = (performance.now() - since) / 1000 / some.length;
  const press = {}; // which of them were answered by one
  const answers = some.map((item) => ({ token: token(), image_id: item.image_id, outcome, labels, note, seconds }));
  desk.send({ path: "v1/review/answers", body: { answers } });
  for (const item of some) {
    done.push({ item, press });
    items.splice(items.indexOf(item), 1);
  }
  show();
  fill().then(refresh);
  return undefined;
}

// After images have come: show them where nothing was to be seen.
function refresh() {
  if (grid.open) grid.show(items);
  else if ($("single").hidden) show();
  // What is not saved yet may have hidden what is left, and whether anything is.
  if (!items.length && !dry) setTimeout(() => fill().then(refresh), 700);
}

async function undo() {
  const last = done.at(-1);
  const some = last ? done.splice(done.findIndex((each) => each.press === last.press)) : [];
  items.unshift(...some.map((each) => each.item));
  undone += 1;
  for (let left = Math.max(some.length, 1); left; left -= 1) desk.send({ path: "v1/review/undo", body: { token: token() } });
  say("");
  if (last) return show();
  return document.addEventListener("saved", async () => { items.length = 0; await fill(); show(); }, { once: true });
}

function ask(words, known = []) {
  $("asked").textContent = words;
  $("given").value = "";
  $("known").replaceChildren(...known.map((name) => Object.assign(document.createElement("option"), { value: name })));
  $("ask").returnValue = "";
  $("ask").showModal();
  return new Promise((done) => {
    $("ask").onclose = () => done($("ask").returnValue === "ok" ? $("given").value.trim() : "");
  });
}

const actions = {
  skip: () => answer(grid.open ? grid.take() : items.slice(0, 1), "skip"),
  unsure: () => answer(grid.open ? grid.take() : items.slice(0, 1), "unsure"),
  undo,
  "new-class": async () => {
    const name = await ask("Name of the new class");
    if (!name) return;
    if (desk.about.classes.includes(name)) return say(`There is a class ${name} already.`);
    try {
      desk.about.classes = (await desk.call("v1/review/classes", { name })).classes;
      if (items[0]) drawClasses(items[0]);
      keys();
    } catch (error) { say(error.message); }
  },
  note: async () => {
    note = (await ask("Note, kept with your answer to this image")) || null;
    $("noted").textContent = note ? `Note: ${note}` : "";
    $("noted").hidden = !note;
  },
  find: async () => {
    const text = (await ask("Class", desk.about.classes)).toLowerCase();
    const found = desk.about.classes.filter((name) => name.toLowerCase().includes(text));
    const exact = desk.about.classes.find((name) => name.toLowerCase() === text);
    if (!text) return;
    if (exact || found.length === 1) pick(exact || found[0]);
    else say(found.length ? `Several classes: ${found.slice(0, 6).join(", ")}` : `No class has ${text} in its name`);
  },
  "to-grid": async () => {
    grid.open = !grid.open;
    $("to-grid").setAttribute("aria-pressed", String(grid.open));
    await fill();
    show();
  },
  refit: async () => {
    try {
      const said = await desk.call("v1/review/refit", {});
      say(said.begun ? "" : "A fit is under way.");
      look();
    } catch (error) { say(error.message); }
  },
  help: () => $("keys").showModal(),
  again: () => fill(true, true).then(refresh),
  confirm: () => label(items.slice(0, 1), desk.about.classes.filter((name) => chosen.has(name))),
};

function keys() {
  const list = desk.about.classes.map((name, place) => [keyOf(place), name]).filter(([key]) => key);
  const words = { skip: "skip: somebody else", unsure: "nobody can tell", undo: "take the last press back",
    "new-class": "new class", note: "note", "to-grid": "grid, and back", refit: "fit the head again", help: "this list", find: "find a class by name" };
  const rows = [...list, ...Object.entries(RESERVED).map(([key, what]) => [key, words[what]]),
    ["Enter", "confirm, with several labels an image"], ["Shift arrows", "choose in the grid"], ["Ctrl a", "all of the grid"]];
  listKeys($("key-list"), rows);
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || !desk.about || onlyReads()) return;
  if (grid.open && grid.key(event)) return event.preventDefault();
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const place = LETTERS.indexOf(event.key);
  const action = RESERVED[event.key] || (event.key === "Enter" && several() && !grid.open && "confirm");
  if (action) {
    event.preventDefault();
    actions[action]();
  } else if (place >= 0 && place < desk.about.classes.length) {
    event.preventDefault();
    document.dispatchEvent(new CustomEvent("pressed", { detail: performance.now() }));
    pick(desk.about.classes[place]);
  }
  return undefined;
});
for (const name of Object.keys(actions)) $(name)?.addEventListener("click", () => actions[name]());
window.addEventListener("online", () => desk.flush());

const onlyReads = () => desk.about.me.role === "reader";

// What is said where nothing is left to be shown, of how the queue stood when it was last looked at.
function drawEnd() {
  if (!standing) return;
  const { done: ready, images } = standing, all = ready >= images;
  const others = skipped ? `You have skipped ${skipped} of the others.` : "The others wait for other people.";
  $("end-words").textContent = `${ready} of ${images} images are done.${all || onlyReads() ? "" : ` ${others}`}`;
  if (onlyReads()) return;
  $("end-title").textContent = all ? "Nothing is left in this queue" : "Nothing is left for you in this queue";
  $("again").hidden = !skipped;
  if (!$("end").hidden) $("again").focus();
}

let looking = null;
function look() {
  clearTimeout(looking);
  looking = setTimeout(async () => {
    try {
      const state = await desk.call("v1/review/state");
      drawTeam(state, $("team"), $("counts"), $("progress"));
      standing = state;
      drawEnd();
      if (!onlyReads() && !items.length && dry && state.done < state.images) fill(true).then(refresh);
      if (state.refit.running || state.leased) looking = setTimeout(look, 3000);
    } catch (error) { looking = setTimeout(look, 5000); }
  }, 300);
}

// Who may not answer sees how the queue stands, and nothing to press.
function onlyLook() {
  $("end-title").textContent = `You read as ${desk.about.me.name}; answering takes the token of a reviewer`;
  for (const name of ["single", "grid", "to-grid", "refit", "saved", "help"]) $(name).hidden = true;
  $("end").hidden = false;
}

async function begin() {
  try {
    const about = await desk.open();
    if (about.anybody && !desk.name) {
      desk.name = (await ask("Your name, which your labels are signed with")) || "anonymous";
      localStorage.setItem("icehouse-name", desk.name);
    }
    document.title = `${about.task} · icehouse`;
    $("title").textContent = `${about.task}, queue ${about.queue} by ${about.strategy}`;
    keys();
    look();
    for (const name of ["new-class", "refit"]) $(name).hidden = about.me.role !== "owner";
    if (onlyReads()) return onlyLook();
    desk.flush();
    await fill();
    await show();
  } catch (error) {
    say(error.message);
    setTimeout(begin, 2000);
  }
}
begin();
