import { node } from "./dom.js";

// The keys, in one table: what is pressed, what is done, and what `?` says of it.
export const KEYS = [
  [" ", "play", "play and stop"],
  ["ArrowLeft", "back", "a frame back; with Shift ten"],
  ["ArrowRight", "on", "a frame on; with Shift ten"],
  ["Shift+ArrowLeft", "back10"],
  ["Shift+ArrowRight", "on10"],
  ["Ctrl+ArrowLeft", "backFar", "a tenth back of what the timeline shows; with → on"],
  ["Ctrl+ArrowRight", "onFar"],
  ["Home", "first", "the first frame"],
  ["End", "last", "the last frame"],
  [",", "slower", "slower"],
  [".", "faster", "faster"],
  ["Enter", "bout", "play the chosen bout"],
  ["Delete", "erase", "erase the chosen bout: not annotated again"],
  ["Backspace", "erase"],
  ["/", "split", "split the chosen bout at this frame"],
  ["&", "merge", "join the chosen bout with the next one of its behaviour"],
  [";", "choose", "choose the bout at this frame; again: the next one there"],
  ["(", "startHere", "the chosen bout begins at this frame"],
  [")", "stopHere", "the chosen bout ends at this frame"],
  ["=", "take", "take the bout at this frame from the labelling compared with"],
  ["Ctrl+z", "undo", "undo"],
  ["Ctrl+Shift+z", "redo", "redo"],
  ["Ctrl+y", "redo"],
  ["]", "nextEdge", "to the next edge of a bout"],
  ["[", "previousEdge", "to the one before"],
  ["Shift+B", "box", "draw a box; again: one in the middle of the picture"],
  ["Shift+P", "point", "set a point; again: one in the middle"],
  ["Alt+ArrowLeft", "markLeft", "move the chosen box or point by a pixel; with Shift the box's edge"],
  ["Alt+ArrowRight", "markRight"],
  ["Alt+ArrowUp", "markUp"],
  ["Alt+ArrowDown", "markDown"],
  ["Alt+Shift+ArrowLeft", "narrower"],
  ["Alt+Shift+ArrowRight", "wider"],
  ["Alt+Shift+ArrowUp", "lower"],
  ["Alt+Shift+ArrowDown", "higher"],
  ["Shift+K", "keyframe", "make a keyframe of the chosen box or point here; Delete erases it"],
  ["Shift+Delete", "unmark", "erase the chosen box or point on all frames"],
  ["Shift+Backspace", "unmark"],
  ["}", "nextKeyframe", "to the next keyframe of the chosen box or point"],
  ["{", "previousKeyframe", "to the one before"],
  ["PageDown", "nextDoubt", "to the next stretch that is not annotated, or of which the model is not sure"],
  ["PageUp", "previousDoubt", "to the one before"],
  [">", "nextDifference", "to the next place where the labelling compared with differs"],
  ["<", "previousDifference", "to the one before"],
  ["+", "zoomIn", "zoom in"],
  ["-", "zoomOut", "zoom out"],
  ["Escape", "cancel", "stop painting without a bout; choose none"],
  ["?", "help", "these keys"],
];
const NAMES = { " ": "space", ArrowLeft: "←", ArrowRight: "→", "Ctrl+ArrowLeft": "Ctrl ← →", "Ctrl+z": "Ctrl Z", "Ctrl+Shift+z": "Ctrl Shift Z", "Alt+ArrowLeft": "Alt ← → ↑ ↓", "Shift+B": "Shift B", "Shift+P": "Shift P", "Shift+K": "Shift K", "Shift+Delete": "Shift Delete" };

export function keyOf(event) {
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const arrow = letter.startsWith("Arrow");
  // Of other signs Shift is a part; so is AltGr, which Windows tells of as Ctrl and Alt.
  const shift = event.shiftKey && (arrow || /^[a-z]$/.test(letter) || letter === "Delete" || letter === "Backspace");
  const control = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
  const pressed = `${control ? "Ctrl+" : ""}${event.altKey && arrow ? "Alt+" : ""}${shift ? "Shift+" : ""}${letter}`;
  return KEYS.find(([key]) => key.toLowerCase() === pressed.toLowerCase())?.[1];
}

export function fillKeys(dialog, lanes) {
  const row = (key, what) => node("tr", {}, node("td", {}, node("kbd", { textContent: NAMES[key] ?? key })), node("td", { textContent: what }));
  const rows = [...lanes.filter((lane) => lane.key).map((lane) => row(lane.key, `${lane.title}: start, and stop`)), ...KEYS.filter((one) => one[2]).map(([key, , what]) => row(key, what))];
  const half = Math.ceil(rows.length / 2), table = (some) => node("table", {}, node("tbody", {}, ...some));
  const close = node("button", { textContent: "Close", onclick: () => dialog.close() });
  dialog.replaceChildren(node("div", { className: "head" }, node("h1", { textContent: "Keys" }), close), node("div", { className: "halves" }, table(rows.slice(0, half)), table(rows.slice(half))));
}

// Why a behaviour cannot have a key; null where it can.
export const taken = (key) => key === "0" ? "none of these" : KEYS.find(([one]) => one === key)?.[2] ?? null;
