// Images are dropped, pasted or chosen; each gets a card with what the head says of it.
import { Desk, Refused } from "./desk.js";
import { listKeys } from "./keys.js";

const $ = (id) => document.getElementById(id);
const AT_ONCE = 4, TRIES = 6, NEIGHBOURS = 6, STRANGER = [401, 403];
const METHODS = ["occlusion", "lime", "black-and-white", "grad-cam", "integrated-gradients"];
const REASONS = {
  "near-threshold": "it is near the threshold", "low-probability": "no class is probable",
  "small-margin": "two classes are nearly alike", "high-entropy": "several classes are plausible",
  "several-classes": "more than one class is possible", "no-class": "no class fits",
  unfamiliar: "it is unlike all that the head was trained on",
};

const desk = new Desk(() => {});
const waiting = [];
let tasks = [], asking = 0, here = null;

function say(words) {
  $("message").textContent = words;
  $("message").hidden = !words;
}

const percent = (p) => `${(100 * p).toFixed(p >= 0.1 && p <= 0.9 ? 0 : 1)} %`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Of what fails for a while, as a full queue does, it is asked again.
async function ask(path, body, again = (status) => !STRANGER.includes(status)) {
  for (let tried = 1; ; tried += 1) {
    try { return await desk.call(path, body); } catch (error) {
      if (error instanceof Refused || !again(error.status) || tried === TRIES) throw error;
      await pause(500 * tried);
    }
  }
}

function take(files) {
  say("");
  here = null;
  for (const file of files) {
    const card = $("card").content.firstElementChild.cloneNode(true);
    const part = (name) => card.querySelector(name);
    const address = URL.createObjectURL(file);
    const picture = part(".stage img");
    picture.alt = file.name || "pasted image";
    picture.onload = () => URL.revokeObjectURL(address);
    picture.onerror = () => { picture.hidden = true; picture.onload(); };
    picture.src = address;
    part("figcaption").textContent = picture.alt;
    $("results").prepend(card);
    waiting.push({ file, card, part });
  }
  next();
}

async function next() {
  while (asking < AT_ONCE && waiting.length) {
    const one = waiting.shift();
    asking += 1;
    answer(one).finally(() => { asking -= 1; next(); });
  }
}

async function answer({ file, card, part }) {
  const head = $("head").value;
  try {
    const query = new URLSearchParams({ top: 5, neighbours: NEIGHBOURS });
    if (head) query.append("head", head);
    const said = await ask(`v1/predict?${query}`, file);
    draw(said.images[0], { file, card, part });
  } catch (error) {
    card.classList.add("failed");
    part(".state").textContent = error.message;
  }
}

function draw(image, { file, card, part }) {
  const [said] = image.answers;
  for (const head of tasks.flatMap((task) => task.heads)) {
    if (head.task === said.task && head.head === said.head) head.version = said.version;  // it may have been fitted again
  }
  showVersion();
  part(".state").textContent = said.predicted.join(", ") || "none of the labels";
  part(".bars").replaceChildren(...said.top.map((each) => bar(each, said.predicted.includes(each.label))));
  const doubts = Object.keys(said.reasons).map((name) => REASONS[name] || name);
  part(".doubts").hidden = !doubts.length;
  part(".doubts").textContent = doubts.length ? `Do not rely on it: ${doubts.join("; ")}.` : "";
  part(".near").hidden = !said.neighbours?.length;
  part(".near div").replaceChildren(...(said.neighbours || []).map(near));
  const wrong = part(".wrong");
  wrong.hidden = false;
  wrong.onclick = () => flag(file, said, wrong, part(".flagged"));
  card.dataset.image = image.image_id;
  part(".explanation").hidden = false;
  part(".method").replaceChildren(...METHODS.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name })));
  part(".why").onclick = () => explain(file, said, part);
}

async function explain(file, said, part) {
  const picture = part(".explanation img"), words = part(".working"), began = performance.now();
  const working = (so) => { part(".why").disabled = so; part("progress").hidden = !so; };
  const clock = setInterval(() => { part(".seconds").textContent = `${Math.round((performance.now() - began) / 1000)} s`; }, 1000);
  working(true);
  words.textContent = "hiding parts of it…";
  try {
    const method = part(".method").value;
    const query = new URLSearchParams({ head: `${said.task}/${said.head}`, method });
    picture.hidden = true;
    URL.revokeObjectURL(picture.src);
    // What takes too long takes as long the next time.
    picture.src = URL.createObjectURL(await ask(`v1/explain?${query}`, file, (status) => status === 429));
    picture.alt = `Parts for and against ${said.predicted.join(", ") || said.top[0].label}, by ${method}`;
    picture.hidden = false;
    words.textContent = "Orange speaks for the answer, blue against it.";
  } catch (error) { words.textContent = error.message; }
  clearInterval(clock);
  part(".seconds").textContent = "";
  working(false);
}

function bar({ label, probability }, predicted) {
  const row = document.createElement("li");
  row.className = predicted ? "said" : "";
  row.innerHTML = "<span class=name></span><span class=bar aria-hidden=true><i></i></span><span class=p></span>";
  const [name, line, number] = row.children;
  name.textContent = name.title = label;
  line.firstChild.style.width = `${100 * probability}%`;
  number.textContent = percent(probability);
  return row;
}

function near(match) {
  const figure = document.createElement("figure"), picture = new Image(), words = document.createElement("figcaption");
  words.textContent = `${match.labels?.join(", ") || "no label"} ${match.similarity.toFixed(2)}`;
  picture.alt = `${match.key}, ${words.textContent}`;
  picture.title = match.key;
  desk.picture(match.image_id, 160).then((address) => { picture.src = address; }, () => {});
  figure.append(picture, words);
  return figure;
}

function flag(file, said, button, words) {
  const classes = tasks.find((task) => task.task === said.task)?.classes || [];
  const options = classes.filter((name) => !said.predicted.includes(name));
  $("right").replaceChildren($("right").firstElementChild,
    ...options.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name })));
  $("right").value = "";
  $("note").value = "";
  $("flag").returnValue = "";
  $("flag").onclose = async () => {
    if ($("flag").returnValue !== "ok") return;
    const form = new FormData();
    form.append("head", `${said.task}/${said.head}`);
    if ($("right").value) form.append("labels", $("right").value);
    if ($("note").value.trim()) form.append("note", $("note").value.trim());
    form.append("images", file);
    button.disabled = true;
    words.textContent = "sending…";
    try {
      const sent = await ask("v1/flag", form);
      words.textContent = `Thank you: it is in queue ${sent.queue}, and people will look at it.`;
    } catch (error) {
      button.disabled = false;
      words.textContent = `Not sent: ${error.message}`;
    }
  };
  $("flag").showModal();
}

$("files").addEventListener("change", () => { take([...$("files").files]); $("files").value = ""; });
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) { event.preventDefault(); take(files); }
});
for (const name of ["dragover", "drop", "dragleave"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") take([...event.dataTransfer.files]);
  });
$("head").addEventListener("change", showVersion);

// Keys are about the image that was last in use, at first the newest.
const press = (name) => { const button = current()?.querySelector(name); if (button?.offsetParent) button.click(); };
const current = () => (here?.isConnected ? here : $("results").firstElementChild);
function go(step) {
  const cards = [...$("results").children], place = cards.indexOf(current()) + (here ? step : 0);
  here = cards[Math.max(0, Math.min(cards.length - 1, place))] || null;
  here?.focus();
  here?.scrollIntoView({ block: "nearest" });
}
const KEYS = {
  o: ["choose images", () => $("files").click()],
  j: ["the next image", () => go(1)],
  k: ["the image before", () => go(-1)],
  e: ["show what its answer rests on", () => press(".why")],
  w: ["its answer is wrong", () => press(".wrong")],
  "?": ["this list", () => $("keys").showModal()],
};
listKeys($("key-list"), Object.entries(KEYS).map(([key, [words]]) => [key, words]));
$("help").addEventListener("click", KEYS["?"][1]);
$("results").addEventListener("focusin", (event) => { here = event.target.closest(".card"); });
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.target.closest("select")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key][1]();
});

function showVersion() {
  const found = tasks.flatMap((task) => task.heads).find((each) => `${each.task}/${each.head}` === $("head").value);
  $("version").textContent = found ? `version ${found.version}` : "";
}

async function begin() {
  try {
    const known = await ask("v1/tasks");
    tasks = known.tasks;
    const heads = tasks.flatMap((task) => task.heads).map((each) => `${each.task}/${each.head}`);
    $("head").replaceChildren(...heads.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name })));
    $("head").value = known.default || "";
    $("which").hidden = !heads.length;
    showVersion();
    if (!heads.length) say("No head is served yet. Fit one: icehouse fit-head");
  } catch (error) { say(error.message); }
}
begin();
