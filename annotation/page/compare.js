// Another labelling beside the one that is edited: thin strips on the timeline, where the two differ, and how far they
// agree. The last model's is chosen first; what it says of the frame shown is told whatever is compared.
import { node } from "./dom.js";
import { get } from "./api.js";
import { kappa, percent } from "./parts.js";

const SOON = 300, LATER = 2500; // milliseconds until differences, and scores, are reckoned after a change

export const titleOf = (one) => one.kind === "person" ? (one.mine ? "yours" : `${one.author} (${one.state})`)
  : one.kind === "consensus" ? `consensus ${one.name} of ${one.author} (${one.state})` : one.name.startsWith("model") ? one.name : `model ${one.name}`;

export class Comparison {
  // place: the element that it fills. go: shows a frame. expert: whether scores may be asked for.
  constructor(place, video, timeline, go, expert) {
    Object.assign(this, { place, video, timeline, go, expert });
    this.model = []; // bouts of the last model, sorted
    this.other = null; // the labelling compared with
    this.differences = [];
    this.choice = node("select", { onchange: () => { this.choose(Number(this.choice.value)); this.choice.blur(); } });
    this.told = node("p", { className: "hint" });
    this.scores = node("p", { className: "hint" });
    place.replaceChildren(node("label", { className: "whose" }, "Compare with ", this.choice), this.told, this.scores);
  }

  // A labelling was opened: what else there is, the model's first.
  async open(labelling) {
    this.labelling = labelling;
    const found = (await get(`videos/${this.video.id}/tracks`)).filter((one) => one.id !== labelling.track.id);
    const model = found.filter((one) => one.kind === "model").at(-1);
    this.model = model ? (await get(`tracks/${model.id}`)).bouts : [];
    const kept = found.find((one) => one.id === this.other?.id);
    this.choice.replaceChildren(node("option", { value: 0, textContent: "none" }), ...found.map((one) => node("option", { value: one.id, textContent: titleOf(one) })));
    await this.choose(kept?.id ?? model?.id ?? 0);
  }

  async choose(id) {
    this.choice.value = id;
    this.other = id ? await get(`tracks/${id}`) : null;
    this.timeline.others = this.other?.bouts ?? [];
    this.#reckon();
    this.#score();
  }

  // The labelling that is edited has changed.
  changed() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.#reckon(), SOON);
    clearTimeout(this.later);
    this.later = setTimeout(() => this.#score(), LATER);
  }

  close() { clearTimeout(this.soon); clearTimeout(this.later); }

  #reckon() {
    this.differences = this.other ? differ(ours(this.labelling), theirs(this.other)) : [];
    this.timeline.differences = this.other && this.differences;
    this.timeline.draw();
    const frames = this.differences.reduce((sum, [start, stop]) => sum + stop - start, 0);
    this.told.textContent = !this.other ? "" : !frames ? "They do not differ where both looked."
      : `They differ in ${count(frames, "frame")}, in ${count(this.differences.length, "place")} (< and > go there).`;
  }

  async #score() {
    this.scores.replaceChildren();
    const { other, labelling } = this;
    if (!this.expert || !other || other.kind === "model") return;
    if (labelling.waiting.length) { this.later = setTimeout(() => this.#score(), LATER); return; }
    try {
      const found = await get(`videos/${this.video.id}/agreement?tracks=${labelling.track.id},${other.id}`);
      if (other === this.other) this.scores.replaceChildren(...sentences(found));
    } catch (error) { this.scores.textContent = error.message; }
  }

  // To the next place where they differ.
  jump(frame, by) {
    const firsts = this.differences.map(([start]) => start);
    const next = by > 0 ? firsts.find((one) => one > frame) : firsts.findLast((one) => one < frame);
    if (next !== undefined) this.go(next);
  }

  // What the model says of a frame, in words.
  says(frame) {
    const bout = at(this.model, frame);
    if (!bout) return "";
    return ` · model: ${bout.behaviour}${bout.confidence == null ? "" : ` ${bout.confidence.toFixed(2)}`}`;
  }
}

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function sentences(found) {
  if (!found.frames) return ["There is no frame that both looked at."];
  const head = `${percent(found.all_agree)} of ${found.frames} frames are the same`;
  if (found.exclusive) return [`${head}; Cohen's kappa ${kappa(found.pairs[0].cohen_kappa)}.`];
  const each = Object.entries(found.behaviours).map(([name, one]) => `${name} ${kappa(one.pairs[0].cohen_kappa)}`);
  return [`${head}. Cohen's kappa of each behaviour, yes or no: ${each.join(", ") || "none was given"}.`];
}

// The bout of an exclusive, sorted list at a frame.
function at(bouts, frame) {
  let low = 0, high = bouts.length;
  while (low < high) { const middle = (low + high) >> 1; if (bouts[middle].start <= frame) low = middle + 1; else high = middle; }
  const bout = bouts[low - 1];
  return bout && frame < bout.stop ? bout : null;
}

// Both as a list of [start, stop, behaviour]; "" for looked at, which a bout is too.
const ours = (labelling) => [...labelling.bouts.values()].flatMap((one) => looked(one));
const theirs = (track) => [...track.annotated.map(([start, stop]) => [start, stop, ""]), ...track.bouts.flatMap((one) => looked(one))];
const looked = ({ start, stop, behaviour }) => behaviour ? [[start, stop, ""], [start, stop, behaviour]] : [[start, stop, ""]];

// The spans [start, stop) that both looked at and gave different behaviours, each as long as what they gave is the same.
export function differ(one, other) {
  const edges = [];
  [one, other].forEach((spans, side) => { for (const [start, stop, what] of spans) edges.push([start, side, what, 1], [stop, side, what, -1]); });
  edges.sort((a, b) => a[0] - b[0]);
  const there = [new Map(), new Map()], out = [];
  let off = 0, from = null; // behaviours that one of them gives; where the difference began
  for (let index = 0; index < edges.length;) {
    const frame = edges[index][0];
    let changed = false;
    for (; index < edges.length && edges[index][0] === frame; index += 1) {
      const [, side, what, by] = edges[index];
      const before = there[side].get(what) ?? 0, after = before + by;
      there[side].set(what, after);
      if (what && before > 0 !== after > 0) { off += (after > 0) === (there[1 - side].get(what) > 0) ? -1 : 1; changed = true; }
    }
    const differs = off > 0 && there[0].get("") > 0 && there[1].get("") > 0;
    if (from !== null && (!differs || changed)) { if (frame > from) out.push([from, frame]); from = null; }
    if (differs && from === null) from = frame;
  }
  return out;
}
