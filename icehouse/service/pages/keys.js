// The list of keys that a page knows.

const CLOSE = ["Esc", "close what is open, as this list"];

export function listKeys(list, rows) {
  list.replaceChildren(...[...rows, CLOSE].flatMap(([key, what]) => {
    const name = document.createElement("dt"), text = document.createElement("dd");
    name.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    text.textContent = what;
    return [name, text];
  }));
}
