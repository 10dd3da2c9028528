// Where the queue stands, who works at it, and how the head has come on.

const SVG = "http://www.w3.org/2000/svg";

function chart(points) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 192 48");
  svg.setAttribute("role", "img");
  const values = points.map((point) => point.accuracy);
  const low = Math.min(...values) - 0.005, high = Math.max(...values) + 0.005;
  const places = values.map((value, i) => [
    6 + (180 * i) / Math.max(values.length - 1, 1), 42 - (36 * (value - low)) / (high - low)]);
  svg.setAttribute("aria-label", `Accuracy after each fit: ${values.map((v) => v.toFixed(3)).join(", ")}`);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", places.map((place) => place.join(",")).join(" "));
  svg.append(line);
  for (const [x, y] of places) {
    const dot = document.createElementNS(SVG, "circle");
    for (const [name, value] of Object.entries({ cx: x, cy: y, r: 3 })) dot.setAttribute(name, value);
    svg.append(dot);
  }
  return svg;
}

export function drawTeam(state, team, counts, progress) {
  counts.textContent = `${state.done} of ${state.images} done`;
  progress.firstElementChild.style.width = `${(100 * state.done) / Math.max(state.images, 1)}%`;
  progress.setAttribute("aria-valuemax", state.images);
  progress.setAttribute("aria-valuenow", state.done);
  const parts = state.reviewers.map((each) => {
    const rate = each.per_minute === null ? "" : `, ${each.per_minute.toFixed(0)} a minute`;
    return `${each.reviewer}: ${each.labelled} labelled${rate}`;
  });
  const { alpha, pairs } = state.agreement;
  for (const pair of pairs) parts.push(`${pair.first} and ${pair.second} agree on ${pair.same} of ${pair.images}`);
  if (alpha !== null) parts.push(`Krippendorff's alpha ${alpha.toFixed(2)}`);
  const { running, points, error } = state.refit;
  if (running) parts.push("the head is being fitted…");
  if (error) parts.push(`the head was not fitted: ${error}`);
  team.replaceChildren(...parts.map((words) => Object.assign(document.createElement("span"), { textContent: words })));
  const measured = points.filter((point) => point.accuracy !== null);
  if (measured.length) {
    const last = measured[measured.length - 1];
    const words = document.createElement("span");
    words.textContent = `accuracy ${last.accuracy.toFixed(3)} of ${last.images} images (${last.split}) with ${last.labels} labels`;
    team.append(words);
    if (measured.length > 1) team.append(chart(measured));
  }
}
