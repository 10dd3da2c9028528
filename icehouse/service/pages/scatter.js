// Many points on a canvas, pixel by pixel: a hundred thousand of them in some milliseconds, without a
// graphics card. They can be moved, zoomed, looked at and chosen.

const LEAST = 0.02, MOST = 400; // of the zoom that shows all
const NEAR = 9;                 // pixels from a point that count as at it
const FADED = 0.25;
const STEP = 60;                // pixels that a key moves

export const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

export class Scatter {
  // told: {hover(index, x, y), chosen(indices, more), drawn()}; indices are places in the arrays.
  constructor(canvas, told) {
    Object.assign(this, { canvas, told, mode: "move", n: 0, pointers: new Map(), path: null, waiting: false });
    this.pen = canvas.getContext("2d");
    new ResizeObserver(() => this.resize()).observe(canvas);
    for (const [name, act] of Object.entries({
      pointerdown: this.down, pointermove: this.moved, pointerup: this.up, pointercancel: this.up,
      pointerleave: () => this.told.hover(-1), wheel: this.wheeled, dblclick: () => this.whole(),
    })) canvas.addEventListener(name, (event) => act.call(this, event), { passive: false });
  }

  // Points as x0, y0, x1, y1, …
  place(xy) {
    this.xy = xy;
    this.n = xy.length / 2;
    this.marked = new Uint8Array(this.n);
    this.anyMarked = false;
    // In an order drawn by lot, the same each time, no group lies on all others.
    this.order = new Uint32Array(this.n).map((_, i) => i);
    for (let i = this.n - 1, seed = 1; i > 0; i -= 1) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const j = seed % (i + 1), kept = this.order[i];
      this.order[i] = this.order[j];
      this.order[j] = kept;
    }
    this.layers = this.order;
    this.whole();
  }

  // The group of each point, and for each group its colour, or null where it is hidden. Group -1 is
  // the last of the colours, and lies below the others.
  paint(groups, colours, paper) {
    const packed = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0;
    const towards = (colour, share) => colour.map((value, i) => Math.round(value * share + paper[i] * (1 - share)));
    const below = this.order.filter((i) => groups[i] < 0);
    this.layers = new Uint32Array(this.n);
    this.layers.set(below);
    this.layers.set(this.order.filter((i) => groups[i] >= 0), below.length);
    this.groups = groups;
    this.paper = packed(paper);
    this.rim = packed(paper.map((value) => (value > 127 ? 0 : 255)));
    this.colours = Uint32Array.from(colours, (colour) => (colour ? packed(colour) : 0));
    this.faded = Uint32Array.from(colours, (colour) => (colour ? packed(towards(colour, FADED)) : 0));
    this.redraw();
  }

  mark(indices) {
    this.marked.fill(0);
    for (const index of indices) this.marked[index] = 1;
    this.anyMarked = indices.length > 0;
    this.redraw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
    const first = !this.image;
    this.ratio = ratio;
    this.width = this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.height = this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.image = this.pen.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    if (first) this.whole(); else this.redraw();
  }

  // All points, but for the few that lie far out.
  whole() {
    if (!this.n || !this.image) return;
    const [left, right] = this.span(0), [low, high] = this.span(1);
    this.x = (left + right) / 2;
    this.y = (low + high) / 2;
    this.all = this.scale = 0.94 * Math.min(this.width / Math.max(right - left, 1e-9), this.height / Math.max(high - low, 1e-9));
    this.redraw();
  }

  span(axis) {
    const some = Float32Array.from({ length: this.n }, (_, i) => this.xy[2 * i + axis]).sort();
    const at = (share) => some[Math.round(share * (this.n - 1))];
    return [at(0.001), at(0.999)];
  }

  redraw() {
    if (this.waiting || !this.n || !this.image || !this.groups) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const { pixels, width, height, xy, scale, groups, marked, anyMarked } = this;
    const last = this.colours.length - 1;
    const x0 = width / 2 - this.x * scale, y0 = height / 2 + this.y * scale;
    const crowd = Math.sqrt(0.1 * width * height / (Math.PI * this.n)) * (scale / this.all) ** 0.6;
    const r = Math.min(Math.max(crowd, this.ratio), 6 * this.ratio), disc = offsets(r, width);
    const edge = Math.ceil(r) + 2;
    pixels.fill(this.paper);
    const stamp = (shape, at, colour) => { for (let k = 0; k < shape.length; k += 1) pixels[at + shape[k]] = colour; };
    const colours = anyMarked ? this.faded : this.colours;
    for (let k = 0; k < this.n; k += 1) {
      const i = this.layers[k], group = groups[i] < 0 ? last : groups[i], colour = colours[group];
      if (!colour || (anyMarked && marked[i])) continue;
      const px = x0 + xy[2 * i] * scale | 0, py = y0 - xy[2 * i + 1] * scale | 0;
      if (px >= edge && py >= edge && px < width - edge && py < height - edge) stamp(disc, py * width + px, colour);
    }
    if (anyMarked) {
      const wide = offsets(r + this.ratio, width);
      for (const [shape, own] of [[wide, false], [disc, true]])
        for (let i = 0; i < this.n; i += 1) {
          if (!marked[i]) continue;
          const px = x0 + xy[2 * i] * scale | 0, py = y0 - xy[2 * i + 1] * scale | 0;
          if (px >= edge && py >= edge && px < width - edge && py < height - edge)
            stamp(shape, py * width + px, own ? this.colours[groups[i] < 0 ? last : groups[i]] || this.rim : this.rim);
        }
    }
    this.pen.putImageData(this.image, 0, 0);
    if (this.path) this.drawPath();
    this.told.drawn?.();
  }

  drawPath() {
    const { pen, path } = this;
    pen.beginPath();
    for (const [x, y] of this.corners()) pen.lineTo(x, y);
    pen.closePath();
    pen.lineWidth = 2 * this.ratio;
    pen.strokeStyle = getComputedStyle(this.canvas).color;
    pen.setLineDash([6 * this.ratio, 4 * this.ratio]);
    pen.stroke();
    pen.setLineDash([]);
    return path;
  }

  corners() {
    if (this.mode !== "box") return this.path;
    const [x0, y0] = this.path[0], [x1, y1] = this.path.at(-1);
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }

  // What people do.

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio];
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, this.at(event));
    this.told.hover(-1);
    const choosing = this.mode !== "move" || event.shiftKey;
    if (this.pointers.size === 1 && choosing && event.button === 0) this.path = [this.at(event)];
    if (this.pointers.size > 1) this.path = null;
  }

  moved(event) {
    const now = this.at(event), before = this.pointers.get(event.pointerId);
    if (!before) return this.told.hover(this.nearest(now), event.clientX, event.clientY);
    if (this.path) {
      this.path.push(now);
      return this.redraw();
    }
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
      this.zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      this.shift((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    } else this.shift(now[0] - before[0], now[1] - before[1]);
    return this.pointers.set(event.pointerId, now);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.path) return;
    const corners = this.corners();
    const moved = corners.some(([x, y]) => Math.hypot(x - corners[0][0], y - corners[0][1]) > 4);
    this.path = null;
    const more = event.ctrlKey || event.metaKey;
    if (event.type === "pointerup") this.told.chosen(moved ? this.inside(corners) : this.single(corners[0]), more);
    this.redraw();
  }

  wheeled(event) {
    event.preventDefault();
    const lines = event.deltaMode ? 30 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0015), this.at(event));
  }

  // Whether it was a key of the map.
  key(event) {
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.key in moves) this.shift(...moves[event.key].map((by) => by * this.ratio));
    else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else return false;
    return true;
  }

  shift(x, y) {
    this.x -= x / this.scale;
    this.y += y / this.scale;
    this.redraw();
  }

  zoom(by, [px, py] = [this.width / 2, this.height / 2]) {
    const scale = Math.min(Math.max(this.scale * by, this.all * LEAST), this.all * MOST);
    const dx = px - this.width / 2, dy = this.height / 2 - py;
    this.x += dx / this.scale - dx / scale;
    this.y += dy / this.scale - dy / scale;
    this.scale = scale;
    this.redraw();
  }

  // What is where.

  shown(i) {
    return this.colours[this.groups[i] < 0 ? this.colours.length - 1 : this.groups[i]] !== 0;
  }

  pixel(i) {
    return [this.width / 2 + (this.xy[2 * i] - this.x) * this.scale, this.height / 2 - (this.xy[2 * i + 1] - this.y) * this.scale];
  }

  nearest([px, py]) {
    if (!this.groups) return -1;
    let best = -1, least = (NEAR * this.ratio) ** 2;
    const x = this.x + (px - this.width / 2) / this.scale, y = this.y - (py - this.height / 2) / this.scale;
    const squared = this.scale ** 2;
    for (let i = 0; i < this.n; i += 1) {
      const dx = this.xy[2 * i] - x, dy = this.xy[2 * i + 1] - y, away = (dx * dx + dy * dy) * squared;
      if (away < least && this.shown(i)) { best = i; least = away; }
    }
    return best;
  }

  single(at) {
    const index = this.nearest(at);
    return index < 0 ? [] : [index];
  }

  // Points inside of a polygon, by how often its edges are crossed on the way to the right.
  inside(corners) {
    const found = [];
    const xs = corners.map(([x]) => x), ys = corners.map(([, y]) => y);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    for (let i = 0; i < this.n; i += 1) {
      const [x, y] = this.pixel(i);
      if (x < left || x > right || y < top || y > bottom || !this.shown(i)) continue;
      let odd = false;
      for (let a = 0, b = xs.length - 1; a < xs.length; b = a, a += 1)
        if (ys[a] > y !== ys[b] > y && x < (xs[b] - xs[a]) * (y - ys[a]) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
      if (odd) found.push(i);
    }
    return found;
  }
}

// A disc as places relative to its middle.
function offsets(r, width) {
  const found = [], reach = Math.floor(r);
  for (let y = -reach; y <= reach; y += 1)
    for (let x = -reach; x <= reach; x += 1)
      if (x * x + y * y <= r * r) found.push(y * width + x);
  return Int32Array.from(found);
}
