// Many images at once: choose some by mouse or keys, and label them by one press.

export class Grid {
  constructor(desk, list, words) {
    Object.assign(this, { desk, list, words, open: false, items: [], here: 0, from: 0, marked: new Set() });
    // A finger that is put down may be about to scroll; one that is taken off where it was chooses.
    list.addEventListener("pointerdown", (event) => {
      this.finger = event.pointerType === "touch";
      if (!this.finger) this.press(event);
    });
    list.addEventListener("click", (event) => this.finger && this.press(event));
    list.addEventListener("pointerover", (event) => event.buttons === 1 && !this.finger && this.drag(event));
  }

  show(items) {
    this.items = [...items];
    const kept = new Set(this.items.map((item) => item.image_id));
    this.marked = new Set([...this.marked].filter((image) => kept.has(image)));
    this.here = Math.min(this.here, Math.max(this.items.length - 1, 0));
    this.list.replaceChildren(...this.items.map((item, place) => this.cell(item, place)));
    this.list.focus();
    this.draw();
  }

  cell(item, place) {
    const cell = document.createElement("li");
    cell.id = `cell-${place}`;
    cell.dataset.place = place;
    cell.setAttribute("role", "option");
    const picture = new Image();
    picture.alt = item.key;
    picture.draggable = false;
    this.desk.picture(item.image_id, 320).then((address) => { picture.src = address; }, () => {});
    const words = document.createElement("span");
    const best = item.bars[0];
    words.textContent = best ? `${best[0]} ${best[1].toFixed(2)}` : item.key;
    cell.append(picture, words);
    return cell;
  }

  draw() {
    [...this.list.children].forEach((cell, place) => {
      const marked = this.marked.has(this.items[place].image_id);
      cell.setAttribute("aria-selected", String(marked));
      cell.classList.toggle("here", place === this.here);
    });
    this.list.setAttribute("aria-activedescendant", `cell-${this.here}`);
    this.words.textContent = `${this.marked.size || "none"} chosen of ${this.items.length}; a class labels them all`;
  }

  place(event) {
    const cell = event.target.closest("li");
    return cell ? Number(cell.dataset.place) : -1;
  }

  press(event) {
    const place = this.place(event);
    if (place < 0) return;
    if (event.shiftKey) this.range(this.from, place);
    else {
      const image = this.items[place].image_id;
      if (!this.marked.delete(image)) this.marked.add(image);
      this.from = place;
    }
    this.here = place;
    this.draw();
  }

  drag(event) {
    const place = this.place(event);
    if (place >= 0) this.range(this.from, place);
  }

  range(a, b) {
    for (let place = Math.min(a, b); place <= Math.max(a, b); place += 1) this.marked.add(this.items[place].image_id);
    this.here = b;
    this.draw();
  }

  columns() {
    return getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns(), ArrowDown: this.columns() };
    if (event.key in steps) {
      const place = Math.max(0, Math.min(this.items.length - 1, this.here + steps[event.key]));
      if (event.shiftKey) this.range(this.here, place);
      else { this.here = place; this.from = place; this.draw(); }
      this.list.children[place]?.scrollIntoView({ block: "nearest" });
      return true;
    }
    if (event.key === " ") {
      const image = this.items[this.here]?.image_id;
      if (image && !this.marked.delete(image)) this.marked.add(image);
      this.draw();
      return true;
    }
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.items.forEach((item) => this.marked.add(item.image_id));
      this.draw();
      return true;
    }
    return false;
  }

  // What is chosen, no longer chosen.
  take() {
    const some = this.items.filter((item) => this.marked.has(item.image_id));
    this.marked.clear();
    return some;
  }
}
