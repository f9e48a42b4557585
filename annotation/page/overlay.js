// Boxes and points drawn over the video's picture, and the mouse on them. Drawn as SVG, which is sharp on every screen.
import { boxBetween, inside } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";
const NEAR = 9; // pixels of the screen that the mouse may be off
const CORNERS = [[0, 0], [1, 0], [0, 1], [1, 1]];
// Okabe and Ito's colours that stand out from the white around them.
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#B0478A", "#000000", "#8A5A00"];

export class Overlay {
  // told: called with ("drawn", kind, numbers), ("chosen", id), ("moving", id, numbers), ("moved", id, numbers).
  constructor(svg, video, size, told) {
    Object.assign(this, { svg, video, size, told });
    this.tool = null; // "box" or "point" while one is to be drawn
    this.editable = false;
    this.items = []; // what is drawn: {mark, numbers, chosen, key, there}
    this.drag = null; // {id, kind, from, start, corner} of a mark, or {kind, start} of one that is drawn
    new ResizeObserver(() => this.draw()).observe(svg);
    video.addEventListener("loadedmetadata", () => this.draw());
    for (const [kind, does] of [["pointerdown", this.#down], ["pointermove", this.#move], ["pointerup", this.#up], ["pointercancel", this.#cancel]]) {
      svg.addEventListener(kind, does.bind(this));
    }
  }

  // Where the picture lies in the element, which it fits in one direction: left, top, and pixels of the screen per pixel.
  place() {
    const { width, height } = this.svg.getBoundingClientRect();
    const wide = this.video.videoWidth || this.size.width, high = this.video.videoHeight || this.size.height;
    const scale = Math.min(width / wide, height / high);
    // A picture of pixels that are not square is shown wider than it has pixels.
    return { left: (width - wide * scale) / 2, top: (height - high * scale) / 2, x: (wide * scale) / this.size.width, y: (high * scale) / this.size.height };
  }

  // A place of the mouse in the video's pixels.
  #point(event) {
    const box = this.svg.getBoundingClientRect(), place = this.place();
    return [(event.clientX - box.left - place.left) / place.x, (event.clientY - box.top - place.top) / place.y];
  }

  draw(items = this.items, names = this.names ?? []) {
    this.items = items;
    this.names = names;
    const place = this.place();
    const made = items.map((one) => this.#drawn(one, place));
    if (this.drag?.numbers && !this.drag.id) made.push(this.#drawn({ mark: { name: "", kind: this.drag.kind }, numbers: this.drag.numbers, there: true, chosen: true }, place));
    this.svg.replaceChildren(...made);
    if (this.tool) this.svg.style.cursor = "crosshair";
  }

  #drawn({ mark, numbers, chosen, key, there }, place) {
    const group = element("g", { class: `mark${chosen ? " chosen" : ""}${there ? "" : " away"}` });
    const colour = COLOURS[Math.max(0, this.names.indexOf(mark.name)) % COLOURS.length];
    const [x, y, width, height] = onScreen(numbers, place);
    const outline = mark.kind === "box" ? ["rect", { x, y, width, height }]
      : ["path", { d: `M${x - 7} ${y}h5M${x + 2} ${y}h5M${x} ${y - 7}v5M${x} ${y + 2}v5` }];
    group.append(element(outline[0], { ...outline[1], class: "halo" }), element(outline[0], { ...outline[1], class: "line", stroke: colour }));
    if (chosen && mark.kind === "box") for (const [right, low] of CORNERS) group.append(element("rect", { x: x + right * width - 4, y: y + low * height - 4, width: 8, height: 8, class: "corner" }));
    // Above it; at the upper edge below it; and inside of what reaches from edge to edge.
    const end = y + (height ?? 0), row = y >= 20 ? y - 8 : end + 22 < this.svg.clientHeight ? end + 18 : y + 20;
    const text = element("text", { x: mark.kind === "point" || row > y && row < end ? x + 9 : x, y: row, fill: colour });
    text.textContent = `${key ? "◆ " : ""}${mark.name}${there ? "" : " (not here)"}`;
    group.append(text);
    return group;
  }

  // What is under the mouse: the chosen box's corner, else the nearest point, else the smallest box.
  #hit(event) {
    const place = this.place(), at = onScreen(this.#point(event), place);
    const found = [];
    for (const { mark, numbers, chosen } of this.items) {
      const [x, y, width = 0, height = 0] = onScreen(numbers, place);
      const hit = { id: mark.id, kind: mark.kind, from: numbers };
      const corner = chosen && this.editable && mark.kind === "box" && CORNERS.find(([right, low]) => Math.abs(at[0] - x - right * width) <= NEAR && Math.abs(at[1] - y - low * height) <= NEAR);
      if (corner) return { ...hit, corner };
      if (at[0] >= x - NEAR && at[0] <= x + width + NEAR && at[1] >= y - NEAR && at[1] <= y + height + NEAR) found.push([width * height, hit]);
    }
    return found.sort((a, b) => a[0] - b[0])[0]?.[1] ?? null;
  }

  #down(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    document.activeElement?.blur?.(); // so that keys are for the picture again
    this.svg.setPointerCapture(event.pointerId);
    if (this.tool) { this.drag = { kind: this.tool, start: this.#point(event) }; this.#move(event); return; }
    const hit = this.#hit(event);
    this.told("chosen", hit?.id ?? null);
    if (hit && this.editable) this.drag = { ...hit, start: this.#point(event) };
  }

  #move(event) {
    const { drag } = this;
    if (!drag) {
      const hit = !this.tool && this.#hit(event);
      this.svg.style.cursor = this.tool ? "crosshair" : !hit ? "default" : !hit.corner ? (this.editable ? "move" : "pointer") : hit.corner[0] === hit.corner[1] ? "nwse-resize" : "nesw-resize";
      return;
    }
    const to = this.#point(event);
    if (!drag.id) drag.numbers = drag.kind === "point" ? inside(to, this.size) : boxBetween(drag.start, to, this.size);
    else {
      const by = [to[0] - drag.start[0], to[1] - drag.start[1]];
      if (!drag.numbers && !by[0] && !by[1]) return;
      drag.numbers = this.#dragged(drag, by);
      this.told("moving", drag.id, drag.numbers);
    }
    this.draw();
  }

  #dragged({ from: [x, y, width, height], corner }, by) {
    if (!corner) return inside(width === undefined ? [x + by[0], y + by[1]] : [x + by[0], y + by[1], width, height], this.size);
    const [right, low] = corner;
    const opposite = [x + (1 - right) * width, y + (1 - low) * height];
    return boxBetween(opposite, [x + right * width + by[0], y + low * height + by[1]], this.size);
  }

  #up(event) {
    const { drag } = this;
    if (!drag) return;
    this.drag = null;
    if (drag.id) { if (drag.numbers) this.told("moved", drag.id, drag.numbers); return; }
    const to = this.#point(event), place = this.place();
    const dragged = Math.abs(to[0] - drag.start[0]) * place.x > 2 && Math.abs(to[1] - drag.start[1]) * place.y > 2;
    if (drag.kind === "point" || dragged) this.told("drawn", drag.kind, drag.numbers); // a mere click draws no box
    else this.draw();
  }

  #cancel() { this.drag = null; this.told("moving", null, null); this.draw(); }
}

// Diamonds on the timeline: a mark's keyframes, with a line where the mark is.
export function diamonds(pen, timeline, mark, y) {
  const place = (frame) => timeline.x(frame + 0.5), { keyframes } = mark;
  pen.fillStyle = "#1c1c1c";
  pen.fillRect(place(keyframes[0][0]), y - 0.5, place(keyframes[keyframes.length - 1][0]) - place(keyframes[0][0]), 1);
  let drawnTo = -Infinity; // what falls on the same pixels need not be drawn
  for (const [frame] of keyframes) {
    const x = place(frame);
    if (x < drawnTo + 1 || x > timeline.canvas.clientWidth + 5) continue;
    drawnTo = x;
    pen.beginPath();
    for (const [right, down] of [[0, -5], [5, 0], [0, 5], [-5, 0]]) pen.lineTo(x + right, y + down);
    pen.closePath();
    pen.fillStyle = frame === timeline.frame ? "#D55E00" : "#1c1c1c";
    pen.strokeStyle = "#fff";
    pen.lineWidth = 1;
    pen.fill();
    pen.stroke();
  }
}

function onScreen([x, y, width, height], place) {
  const corner = [place.left + x * place.x, place.top + y * place.y];
  return width === undefined ? corner : [...corner, width * place.x, height * place.y];
}

function element(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
