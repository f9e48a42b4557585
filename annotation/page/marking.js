// The boxes and points of a labelling: drawing, choosing and moving them, their list, and their keys.
import { node } from "./dom.js";
import { get, upload } from "./api.js";
import { newName } from "./labelling.js";
import { at, held, inside, isKey, tooMany, withKeyframe, withoutKeyframe } from "./marks.js";
import { diamonds, Overlay } from "./overlay.js";

export class Marking {
  // parts: what it works on and with: player, timeline, video, labelling() as it is now, unchoose() a bout, reopen(),
  // say(text, bad).
  constructor(panel, svg, parts) {
    Object.assign(this, parts, { panel, chosen: null, moving: null, listed: "" });
    this.overlay = new Overlay(svg, this.player.video, this.video, (what, ...more) => this.#told(what, ...more));
    this.timeline.over = (pen) => { const mark = this.mark; if (mark) diamonds(pen, this.timeline, mark, 17); };
    this.name = panel.querySelector("input[name=mark]");
    this.name.onchange = () => this.#rename();
    this.name.onkeydown = (event) => { if (event.key === "Enter") this.name.blur(); };
    panel.addEventListener("click", (event) => this.actions[event.target.closest("[data-mark]")?.dataset.mark]?.());
    panel.querySelector("input[type=file]").onchange = (event) => this.#take(event.target);
    get(`projects/${this.video.project}/mark-names`).then((found) => { this.known = found; this.#names(); }).catch(() => {});
  }

  get mark() { return this.labelling()?.marks.get(this.chosen) ?? null; }

  actions = {
    box: () => this.#tool("box"), point: () => this.#tool("point"),
    markLeft: () => this.#nudge(-1, 0), markRight: () => this.#nudge(1, 0), markUp: () => this.#nudge(0, -1), markDown: () => this.#nudge(0, 1),
    narrower: () => this.#nudge(0, 0, -1, 0), wider: () => this.#nudge(0, 0, 1, 0), lower: () => this.#nudge(0, 0, 0, -1), higher: () => this.#nudge(0, 0, 0, 1),
    keyframe: () => { if (this.mark) this.#put(withKeyframe(this.mark, this.player.frame, inside(held(this.mark, this.player.frame), this.video))); },
    toggleKeyframe: () => { if (!this.mark || !isKey(this.mark, this.player.frame)) this.actions.keyframe(); else this.erase(); },
    unmark: () => { if (this.mark) this.#change(this.mark, null); },
    nextKeyframe: () => this.#jump(1), previousKeyframe: () => this.#jump(-1),
  };

  choose(id) {
    this.chosen = id;
    if (id !== null) this.unchoose();
    if (this.mark) this.name.value = this.mark.name;
    this.draw();
  }

  cancel() { this.overlay.tool = null; this.choose(null); }

  // Erase the keyframe of the chosen mark at this frame; false where no mark is chosen.
  erase() {
    const { mark } = this, { frame } = this.player;
    if (mark && isKey(mark, frame)) this.#change(mark, withoutKeyframe(mark, frame));
    return mark !== null;
  }

  // After a change of the labelling, of the frame, or of what is chosen.
  draw() {
    const labelling = this.labelling(), { frame } = this.player;
    if (!labelling) return;
    if (!labelling.marks.has(this.chosen)) this.chosen = null;
    const items = [];
    for (const mark of labelling.marks.values()) {
      const chosen = mark.id === this.chosen, here = at(mark, frame);
      const numbers = this.moving?.id === mark.id ? this.moving.numbers : here ?? (chosen ? held(mark, frame) : null);
      if (numbers) items.push({ mark, numbers, chosen, there: here !== null, key: isKey(mark, frame) });
    }
    this.items = items;
    this.overlay.editable = labelling.editable;
    this.overlay.draw(items, [...new Set([...labelling.marks.values()].map((one) => one.name))]);
    if (!this.player.playing) this.#list();
  }

  // The list of this frame's marks, made anew only where it differs, so that a focused button stays one.
  #list() {
    const { mark, panel, items } = this, labelling = this.labelling(), { editable, track } = labelling;
    const told = JSON.stringify([items.map(({ mark: { id, name, kind }, chosen, key, there }) => [id, name, kind, chosen, key, there]), editable, this.overlay.tool, track.id, labelling.marks.size]);
    this.panel.querySelector("output").textContent = mark ? where(items.find((one) => one.chosen).numbers) : "";
    if (told === this.listed) return;
    this.listed = told;
    const focused = document.activeElement?.dataset?.id;
    panel.querySelector(".here").replaceChildren(...items.map(({ mark: one, chosen, key, there }) => {
      const button = node("button", { textContent: `${key ? "◆ " : ""}${one.name}`, title: `${one.kind}${there ? "" : ", not on this frame"}${key ? ", a keyframe" : ""}`, onclick: () => this.choose(chosen ? null : one.id) });
      button.dataset.id = one.id;
      button.setAttribute("aria-pressed", String(chosen));
      return node("li", {}, button);
    }));
    if (focused) panel.querySelector(`[data-id="${focused}"]`)?.focus();
    for (const button of panel.querySelectorAll("button[data-mark]")) {
      button.disabled = !editable && !button.dataset.mark.endsWith("Keyframe");
      const pressed = { box: this.overlay.tool === "box", point: this.overlay.tool === "point", toggleKeyframe: items.some((one) => one.chosen && one.key) }[button.dataset.mark];
      if (pressed !== undefined) button.setAttribute("aria-pressed", String(pressed));
    }
    panel.querySelector(".chosen-mark").hidden = !mark;
    for (const link of panel.querySelectorAll("a")) { link.hidden = !labelling.marks.size; link.href = `api/tracks/${track.id}/marks?as=${link.dataset.as}`; link.download = `${this.video.name}.marks.${link.dataset.as}`; }
    panel.querySelector("details label").hidden = !editable;
    this.#names();
    this.timeline.draw();
  }

  #names() {
    const names = new Set([...(this.known ?? []), ...[...(this.labelling()?.marks.values() ?? [])].map((one) => one.name)]);
    this.panel.querySelector("datalist").replaceChildren(...[...names].sort().map((value) => node("option", { value })));
  }

  #told(what, ...more) {
    if (what !== "chosen" || more[0]) this.player.video.pause();
    this.moving = what === "moving" && more[0] ? { id: more[0], numbers: more[1] } : null;
    if (what === "moving") this.draw();
    if (what === "chosen") this.choose(more[0]);
    if (what === "moved") this.#put(withKeyframe(this.labelling().marks.get(more[0]), this.player.frame, more[1]));
    if (what === "drawn") this.#make(more[0], more[1]);
  }

  // A tool's key again: one in the middle of the picture, for whoever has no mouse.
  #tool(kind) {
    if (!this.labelling()?.editable) return;
    const { width, height } = this.video;
    if (this.overlay.tool === kind) return this.#make(kind, inside(kind === "box" ? [width / 3, height / 3, width / 3, height / 3] : [width / 2, height / 2], this.video));
    this.overlay.tool = kind;
    this.choose(null); // so that a name that is typed now is the new one's
  }

  #make(kind, numbers) {
    this.overlay.tool = null;
    const mark = { id: newName(), name: this.#written() || kind, kind, keyframes: [[this.player.frame, ...numbers]] };
    if (this.#put(mark)) this.choose(mark.id); else this.draw();
  }

  #written() { return this.name.value.replace(/\p{Cc}/gu, " ").trim().slice(0, 80); }

  #rename() {
    const { mark } = this, name = this.#written();
    if (mark && name && name !== mark.name) this.#put({ ...mark, name });
  }

  #put(mark) {
    const labelling = this.labelling(), fault = tooMany(labelling.marks, mark);
    if (fault) this.say(fault, true); else this.#change(labelling.marks.get(mark.id) ?? null, mark);
    return !fault;
  }

  #change(before, after) { this.labelling().change([{ of: "marks", before, after }]); }

  #nudge(x, y, width = 0, height = 0) {
    const { mark } = this, { frame } = this.player;
    if (!mark || !this.labelling().editable) return;
    const by = [x, y, width, height], numbers = held(mark, frame).map((one, number) => one + by[number]);
    this.#put(withKeyframe(mark, frame, inside(numbers, this.video)));
  }

  #jump(by) {
    const frames = this.mark?.keyframes.map((one) => one[0]) ?? [], { frame } = this.player;
    const next = by > 0 ? frames.find((one) => one > frame) : frames.findLast((one) => one < frame);
    if (next !== undefined) { this.player.video.pause(); this.player.go(next); }
  }

  async #take(input) {
    const labelling = this.labelling();
    try {
      if (labelling.waiting.length) throw new Error("wait until all is saved");
      const { marks } = await upload(`tracks/${labelling.track.id}/marks`, input.files[0]);
      await this.reopen();
      this.say(`${marks} boxes and points taken from the file`);
    } catch (error) { this.say(error.message, true); }
    input.value = "";
  }
}

const where = ([x, y, width, height]) => `x ${x.toFixed(1)}, y ${y.toFixed(1)}${width === undefined ? "" : `, ${width.toFixed(1)} × ${height.toFixed(1)}`} pixels`;
