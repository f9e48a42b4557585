// The timeline: a lane per behaviour, or one for all, drawn on a canvas, only what is in sight.
import { drawBoxes, firstAfter } from "./boxes.js";

const LANE = 22, ALL_LANES = 260, LEAST_LANE = 13, LOW = 18, ONE_LANE = 40, TOP = 22, LEFT = [96, 220], FONT = "11px system-ui, sans-serif", EDGE = 6, STRIP = 5, DIFFERS = 16;

export class Timeline {
  constructor(canvas, frames, fps, lanes, told) {
    Object.assign(this, { canvas, frames, fps, lanes, told });
    this.start = 0; // first frame in sight
    this.span = frames; // frames in sight
    this.frame = 0;
    this.bouts = []; // sorted by start
    this.others = []; // of a model or another person, sorted: shown as strips
    this.differences = null; // spans where the two differ, sorted: a row of its own
    this.chosen = null;
    this.painting = null; // {behaviour, from}
    this.drag = null;
    this.over = null; // draws more on top: called with the context
    this.context = canvas.getContext("2d");
    this.context.font = FONT;
    this.tall = Math.max(LEAST_LANE, Math.min(LANE, Math.floor(ALL_LANES / lanes.length))); // of a lane, in pixels
    // Where frames begin, right of the lanes' names.
    this.left = Math.max(LEFT[0], Math.min(LEFT[1], 16 + Math.max(...lanes.map((lane) => this.context.measureText(nameOf(lane)).width))));
    this.single = false; // one lane for all behaviours
    this.width = canvas.clientWidth; // as of the last drawing: to ask the page takes long
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.drawn = 0; // how often, for whoever measures
  }

  x(frame) { return this.left + ((frame - this.start) / this.span) * (this.width - this.left); }
  at(x) { return this.start + ((x - this.left) / (this.width - this.left)) * this.span; }

  // The lanes' height, how many there are, and where one begins: [pixels, number, lane → pixels].
  get rows() { return this.single ? [ONE_LANE, 1, () => TOP] : [this.tall, this.lanes.length, (lane) => TOP + this.tall * lane]; }

  get bottom() { return TOP + this.rows[0] * this.rows[1]; }

  zoom(by, around = this.frame) {
    const span = Math.max(20, Math.min(this.frames, this.span * by));
    this.start = around - ((around - this.start) / this.span) * span;
    this.span = span;
    this.#inside();
    this.draw();
  }

  pan(frames) { this.start += frames; this.#inside(); this.draw(); }

  // Keep a frame in sight.
  follow(frame) {
    this.frame = frame;
    if (frame < this.start || frame >= this.start + this.span) this.start = frame - this.span / 4;
    this.#inside();
    this.draw();
  }

  #inside() { this.start = Math.max(0, Math.min(this.start, this.frames - this.span)); }

  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = 0; this.#paint(); });
  }

  #paint() {
    const { canvas, context: pen } = this;
    const tall = `${this.bottom + DIFFERS + 4}px`;
    if (canvas.style.height !== tall) {
      canvas.style.height = tall;
      canvas.closest(".editor")?.style.setProperty("--timeline", tall); // what it leaves is the video's
    }
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    this.width = width;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.#ticks(pen, width, height);
    this.#differs(pen, width);
    pen.save();
    pen.beginPath();
    pen.rect(this.left, 0, width - this.left, height);
    pen.clip();
    const [tallLane, , top] = this.rows, low = tallLane < LOW, gap = low ? 1 : 3;
    const strip = !this.others.length ? 0 : low ? STRIP - 1 : STRIP * (this.single ? 2 : 1);
    const view = { start: this.start, span: this.span, left: this.left, width, lanes: this.lanes, named: this.single };
    drawBoxes(pen, this.others, { ...view, named: false }, (lane) => [top(lane) + tallLane - strip - 1, strip], 0.55);
    const row = (lane) => [top(lane) + gap, tallLane - 2 * gap - strip];
    drawBoxes(pen, this.bouts, view, row, 1);
    if (this.painting) {
      const lane = this.lanes.findIndex((one) => one.name === this.painting.behaviour);
      const [from, to] = [Math.min(this.painting.from, this.frame), Math.max(this.painting.from, this.frame) + 1];
      pen.fillStyle = this.lanes[lane].colour;
      pen.globalAlpha = 0.6;
      pen.fillRect(this.x(from), row(lane)[0], this.x(to) - this.x(from), tallLane - 2 * gap);
      pen.globalAlpha = 1;
    }
    this.#chosen(pen, row);
    this.over?.(pen);
    const [left, right] = [this.x(this.frame), this.x(this.frame + 1)];
    pen.fillStyle = "#0007";
    pen.fillRect(left, 0, Math.max(right - left, 1.5), height);
    pen.restore();
    this.drawn += 1;
  }

  // An outline, and, while an edge is dragged, where it would go.
  #chosen(pen, row) {
    const bout = this.bouts.find((one) => one.id === this.chosen);
    const lane = bout ? this.lanes.findIndex((one) => one.name === bout.behaviour) : -1;
    if (lane < 0) return;
    const { start, stop } = this.drag?.start === undefined ? bout : this.drag, [y, height] = row(lane);
    pen.strokeStyle = "#1c1c1c";
    pen.lineWidth = 2;
    pen.strokeRect(this.x(start), y, Math.max(this.x(stop) - this.x(start), 1), height);
  }

  #ticks(pen, width, height) {
    const seconds = this.span / this.fps;
    const steps = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400];
    const step = steps.find((one) => seconds / one <= 12) || 14400;
    pen.font = FONT;
    pen.textBaseline = "middle";
    for (let tick = Math.ceil(this.start / this.fps / step) * step; tick <= (this.start + this.span) / this.fps; tick += step) {
      const x = this.x(tick * this.fps);
      pen.fillStyle = "#e4e4e4";
      pen.fillRect(x, TOP - 4, 1, height);
      pen.fillStyle = "#5a5a5a";
      pen.fillText(clock(tick, step < 1), x + 3, 10);
    }
    const [tall, , top] = this.rows;
    (this.single ? [{ title: "behaviour" }] : this.lanes).forEach((lane, index) => {
      const y = top(index);
      pen.fillStyle = "#d5d5d5";
      pen.fillRect(0, y, width, 1);
      pen.fillStyle = "#1c1c1c";
      pen.fillText(short(pen, nameOf(lane), this.left - 12), 6, y + tall / 2);
    });
  }

  // Frames where the two differ: dark, with white strokes where there is room for them.
  #differs(pen, width) {
    if (!this.differences) return;
    const top = this.bottom, end = this.start + this.span;
    pen.fillStyle = "#d5d5d5";
    pen.fillRect(0, top, width, 1);
    pen.fillStyle = "#1c1c1c";
    pen.fillText("differs", 6, top + DIFFERS / 2 + 1);
    let drawnTo = -1;
    for (let at = firstAfter(this.differences, this.start, 0, 1); at < this.differences.length && this.differences[at][0] < end; at += 1) {
      const left = Math.max(this.left, this.x(this.differences[at][0])), right = Math.max(this.x(this.differences[at][1]), left + 1.5);
      if (right <= drawnTo) continue;
      drawnTo = right;
      pen.fillStyle = "#1c1c1c";
      pen.fillRect(left, top + 3, right - left, DIFFERS - 4);
      pen.fillStyle = "#fff";
      for (let x = left + 4; x < Math.min(right, width) - 3; x += 6) pen.fillRect(x, top + 5, 1.5, DIFFERS - 8);
    }
  }

  // The bout at a place, and which of its edges is near (-1, 1; 0 for none).
  #hit(event) {
    const [tall, count] = this.rows, number = Math.floor((event.offsetY - TOP) / tall);
    if (number < 0 || number >= count || event.offsetX < this.left) return null;
    const before = this.at(event.offsetX - EDGE - 1), after = this.at(event.offsetX + EDGE + 1);
    let found = null;
    for (let at = firstAfter(this.bouts, before); at < this.bouts.length && this.bouts[at].start <= after; at += 1) {
      const bout = this.bouts[at];
      if (!this.single && bout.behaviour !== this.lanes[number].name) continue;
      const left = this.x(bout.start), right = this.x(bout.stop);
      if (event.offsetX < left - EDGE || event.offsetX > right + EDGE) continue;
      const edge = Math.abs(event.offsetX - right) <= EDGE ? 1 : Math.abs(event.offsetX - left) <= EDGE ? -1 : 0;
      if (!found || edge === 0 || found.edge !== 0) found = { bout, edge };
    }
    return found;
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const hit = this.#hit(event);
    if (hit && hit.edge && this.told("editable")) this.drag = { ...hit };
    else this.told("go", Math.floor(this.at(event.offsetX)));
    this.chosen = hit ? hit.bout.id : null;
    this.told("chosen", this.chosen);
    this.draw();
  }

  #move(event) {
    if (this.drag) {
      const frame = Math.max(0, Math.min(this.frames, Math.round(this.at(event.offsetX))));
      const { bout, edge } = this.drag;
      this.drag.start = edge < 0 ? Math.min(frame, bout.stop - 1) : bout.start;
      this.drag.stop = edge > 0 ? Math.max(frame, bout.start + 1) : bout.stop;
      this.told("go", edge < 0 ? this.drag.start : this.drag.stop - 1);
    } else if (event.buttons & 1) this.told("go", Math.floor(this.at(event.offsetX)));
    else this.canvas.style.cursor = this.#hit(event)?.edge ? "ew-resize" : "default";
  }

  #up() {
    const { drag } = this;
    this.drag = null;
    if (drag && drag.start !== undefined) this.told("moved", drag.bout.id, drag.start, drag.stop);
  }

  #wheel(event) {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.pan(((event.deltaX || event.deltaY) / this.width) * this.span);
    } else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.at(event.offsetX));
  }
}

const nameOf = (lane) => `${lane.key ? `${lane.key}  ` : ""}${lane.title}`;

// A text that is not wider than so many pixels: its beginning and its end, by which names of one kind differ.
function short(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let kept = text.length - 1;
  const cut = () => `${text.slice(0, Math.ceil(kept * 0.7)).trimEnd()}…${text.slice(text.length - Math.floor(kept * 0.3)).trimStart()}`;
  while (kept > 2 && pen.measureText(cut()).width > width) kept -= 1;
  return cut();
}

export function clock(seconds, fine = false) {
  const whole = Math.floor(seconds + 1e-9), hours = Math.floor(whole / 3600);
  const text = `${String(Math.floor(whole / 60) % 60).padStart(hours ? 2 : 1, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return (hours ? `${hours}:` : "") + text + (fine ? (seconds % 1).toFixed(1).slice(1) : "");
}
