// Small parts that several pages are made of.
import { node } from "./dom.js";

// A table with a head; a cell is text, a node, or a list of these. Empty, it says so.
export function table(titles, rows, empty = "none") {
  const cell = (tag) => (inside) => node(tag, {}, ...[inside ?? ""].flat());
  const head = node("thead", {}, node("tr", {}, ...titles.map((title) => cell(title ? "th" : "td")(title))));
  const none = node("td", { colSpan: titles.length, textContent: empty, className: "hint" });
  return node("table", { className: "list" }, head, node("tbody", {}, ...(rows.length ? rows.map((row) => node("tr", {}, ...row.map(cell("td")))) : [node("tr", {}, none)])));
}

// Where what went wrong is said.
export function fault() {
  const made = node("p", { className: "fault" });
  made.setAttribute("role", "alert");
  return made;
}

// A button that does something that may be refused; where it is, `place` says why.
export function button(text, place, what, more = {}) {
  const made = node("button", { textContent: text, type: "button", ...more });
  made.onclick = async () => {
    made.disabled = true;
    place.textContent = "";
    try { await what(); } catch (error) { place.textContent = error.message; }
    made.disabled = false;
  };
  return made;
}

export const select = (options, more = {}) => node("select", more, ...options.map(([value, text]) => node("option", { value, textContent: text })));
export const section = (title, ...inside) => node("section", { className: "part" }, node("h2", { textContent: title }), ...inside);
export const when = (seconds) => new Date(1000 * seconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
export const percent = (share) => share == null ? "–" : `${(100 * share).toFixed(1)} %`;
export const kappa = (value) => value == null ? "–" : value.toFixed(2);
