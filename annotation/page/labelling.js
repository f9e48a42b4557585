// A labelling being edited: its bouts, its marks (boxes and points, see marks.js), undo and redo; saving.js
// sends what changes.
//
// A bout is frames [start, stop) of a behaviour; behaviour "" is *none of these*: looked at, and nothing to label.
// What no bout covers is not annotated. On the server "" is the spans that were looked at and have no bout.
import { applied } from "./marks.js";
import { Saving } from "./saving.js";

let counter = 0;
export const newName = () => `${Date.now().toString(36)}-${(counter++).toString(36)}-${Math.random().toString(36).slice(2, 8)}`;

export class Labelling {
  constructor(track, frames, exclusive, told, reopen) {
    this.track = track;
    this.frames = frames;
    this.exclusive = exclusive;
    this.told = told; // called with ("changed"); and by saving.js
    this.bouts = new Map();
    for (const bout of track.bouts) this.bouts.set(bout.id, { ...bout });
    this.#fill(track.annotated);
    this.marks = new Map(track.marks.map((one) => [one.id, one]));
    this.undone = [];
    this.done = [];
    this.order = null; // what `sorted` gave, until a change
    this.saving = new Saving(track, told, reopen);
    for (const edit of this.waiting) this.#replay(edit);
  }

  get waiting() { return this.saving.waiting; }

  get editable() { return this.track.mine && ["draft", "returned"].includes(this.track.state); }

  sorted() { return this.order ??= [...this.bouts.values()].sort((a, b) => a.start - b.start || a.stop - b.stop); }

  // Make frames [start, stop) a bout of a behaviour; in an exclusive project others give way. Returns its id.
  paint(behaviour, start, stop) {
    const id = newName();
    this.change([...this.#makeRoom(behaviour, start, stop, id), { before: null, after: { id, behaviour, start, stop, comment: "" } }]);
    return id;
  }

  erase(id) { const bout = this.bouts.get(id); if (bout) this.change([{ before: bout, after: null }]); }

  // Move a bout's edges; others give way as for a new one.
  move(id, start, stop) {
    const bout = this.bouts.get(id);
    if (!bout || start >= stop || (start === bout.start && stop === bout.stop)) return;
    this.change([...this.#makeRoom(bout.behaviour, start, stop, id), { before: bout, after: { ...bout, start, stop } }]);
  }

  comment(id, comment) {
    const bout = this.bouts.get(id);
    if (bout && bout.comment !== comment) this.change([{ before: bout, after: { ...bout, comment } }]);
  }

  split(id, frame) {
    const bout = this.bouts.get(id);
    if (!bout || frame <= bout.start || frame >= bout.stop) return;
    const rest = { ...bout, id: newName(), start: frame };
    this.change([{ before: bout, after: { ...bout, stop: frame } }, { before: null, after: rest }]);
  }

  // Join a bout with the next one of its behaviour.
  merge(id) {
    const bout = this.bouts.get(id);
    const next = bout && this.sorted().find((one) => one.behaviour === bout.behaviour && one.start >= bout.stop);
    if (!next) return;
    const room = this.exclusive ? this.#makeRoom(bout.behaviour, bout.stop, next.start, id).filter((one) => one.before.id !== next.id) : [];
    this.change([...room, { before: next, after: null }, { before: bout, after: { ...bout, stop: next.stop } }]);
  }

  // changes: {before, after} of a bout or, with of: "marks", of a mark; null where there is none.
  change(changes) {
    if (!this.editable || !changes.length) return;
    const kept = changes.map((one) => ({ ...one, before: one.before && { ...one.before }, after: one.after && { ...one.after } }));
    this.done.push(kept);
    this.undone.length = 0;
    this.#apply(kept);
  }

  // What came from a file since can be undone, and before it what was done before. earlier: this labelling as it was.
  since(earlier) {
    const differ = (was, is, of) => [
      ...[...was.values()].filter((one) => !is.has(one.id)).map((before) => ({ of, before, after: null })),
      ...[...is.values()].filter((one) => JSON.stringify(one) !== JSON.stringify(was.get(one.id))).map((after) => ({ of, before: was.get(after.id) ?? null, after })),
    ];
    const changes = [...differ(earlier.bouts, this.bouts), ...differ(earlier.marks, this.marks, "marks")];
    this.done = changes.length ? [...earlier.done, changes] : earlier.done;
  }

  undo() { this.#travel(this.done, this.undone, (one) => one.map((change) => ({ ...change, before: change.after, after: change.before })).reverse()); }
  redo() { this.#travel(this.undone, this.done, (one) => one); }

  #travel(from, to, turned) {
    const one = this.editable && from.pop();
    if (!one) return;
    to.push(one);
    this.#apply(turned(one));
  }

  #makeRoom(behaviour, start, stop, own) {
    const out = [];
    for (const bout of this.bouts.values()) {
      if (bout.id === own || bout.stop <= start || bout.start >= stop) continue;
      if (!this.exclusive && bout.behaviour !== behaviour && bout.behaviour !== "" && behaviour !== "") continue;
      const left = bout.start < start && { ...bout, stop: start };
      const right = bout.stop > stop && { ...bout, start: stop };
      out.push({ before: bout, after: left || right || null });
      if (left && right) out.push({ before: null, after: { ...right, id: newName() } });
    }
    return out;
  }

  #apply(changes) {
    const edits = [];
    for (const { of, before, after } of changes) {
      if (of === "marks") { edits.push({ edit: newName(), ...applied(this.marks, { before, after }) }); continue; }
      if (before && !after) this.bouts.delete(before.id);
      if (after) this.bouts.set(after.id, { ...after });
      if (before?.behaviour && !(after?.behaviour)) edits.push({ edit: newName(), action: "delete", id: before.id });
      if (after?.behaviour) {
        const { id, behaviour, start, stop, comment } = after;
        edits.push({ edit: newName(), action: "put", bout: { id, behaviour, start, stop, comment: comment || "" } });
      }
    }
    const both = changes.filter(({ of }) => of !== "marks").flatMap(({ before, after }) => [before, after]).filter((one) => one);
    if (both.length) {
      const start = Math.min(...both.map((one) => one.start)), stop = Math.max(...both.map((one) => one.stop));
      const near = [...this.bouts.values()].map((one) => [Math.max(one.start, start), Math.min(one.stop, stop)]).filter(([from, to]) => from < to);
      edits.push({ edit: newName(), action: "annotated", start, stop, spans: union(near) });
    }
    this.order = null;
    this.saving.add(edits);
    this.told("changed");
  }

  // What was kept in this browser and had not reached the server is shown again.
  #replay(edit) {
    if (edit.action === "put") this.bouts.set(edit.bout.id, { ...edit.bout });
    if (edit.action === "delete") this.bouts.delete(edit.id);
    if (edit.action === "mark") this.marks.set(edit.mark.id, edit.mark);
    if (edit.action === "unmark") this.marks.delete(edit.id);
    if (edit.action !== "annotated") return;
    const { start: first = 0, stop: last = this.frames } = edit;
    const nothing = [...this.bouts.values()].filter((one) => !one.behaviour);
    for (const bout of nothing) this.bouts.delete(bout.id);
    const outside = nothing.flatMap((one) => [[one.start, Math.min(one.stop, first)], [Math.max(one.start, last), one.stop]]).filter(([from, to]) => from < to);
    this.#fill([...outside, ...edit.spans]);
  }

  // Bouts of *none of these* where spans have no other.
  #fill(spans) {
    for (const [start, stop] of without(spans, [...this.bouts.values()])) {
      const id = newName();
      this.bouts.set(id, { id, behaviour: "", start, stop, comment: "" });
    }
  }
}

export function union(spans) {
  const out = [];
  for (const [start, stop] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = out[out.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(last[1], stop);
    else out.push([start, stop]);
  }
  return out;
}

// Spans less the frames of bouts.
export function without(spans, bouts) {
  const holes = union(bouts.filter((one) => one.behaviour).map((one) => [one.start, one.stop]));
  const out = [];
  let hole = 0;
  for (const [start, stop] of union(spans)) {
    let at = start;
    while (hole < holes.length && holes[hole][1] <= start) hole += 1;
    for (let next = hole; next < holes.length && holes[next][0] < stop; next += 1) {
      if (holes[next][0] > at) out.push([at, holes[next][0]]);
      at = Math.max(at, holes[next][1]);
    }
    if (at < stop) out.push([at, stop]);
  }
  return out;
}
