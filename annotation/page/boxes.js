// Bouts as boxes on the timeline's canvas. What of a behaviour falls on the same pixels is drawn as one box, so that a
// night's bouts take hardly longer than a minute's.
const SHADES = 8; // that confidences are told apart by
const APART = 0.5; // pixels between two boxes from which both are drawn

// Draw the bouts in sight, sorted by their start. view: {start, span} in frames, {left, width} in pixels, and
// lanes, [{name, title, colour}]; row: a lane's number → [y, height]; alpha: of a bout without a confidence.
export function drawBoxes(pen, bouts, view, row, alpha) {
  const scale = (view.width - view.left) / view.span, end = view.start + view.span;
  const lanes = new Map(view.lanes.map((lane, at) => [lane.name, at]));
  const runs = view.lanes.map(() => null); // the box of each lane that may still grow
  const draw = ({ left, right, shade, lane, bout }) => {
    const [y, height] = row(lane);
    pen.globalAlpha = alpha * shade;
    pen.fillStyle = view.lanes[lane].colour;
    pen.fillRect(left, y, right - left, height);
    pen.globalAlpha = 1;
    if (bout?.comment && right - left > 8) note(pen, Math.max(left, view.left), y);
    if (view.named && bout) name(pen, view.lanes[lane], Math.max(left, view.left), Math.min(right, view.width), y, height);
  };
  for (let at = firstAfter(bouts, view.start); at < bouts.length && bouts[at].start < end; at += 1) {
    const bout = bouts[at], lane = lanes.get(bout.behaviour);
    if (lane === undefined || bout.stop <= view.start) continue;
    const left = view.left + (bout.start - view.start) * scale;
    const right = Math.max(view.left + (bout.stop - view.start) * scale, left + 1);
    const shade = bout.confidence == null ? 1 : 0.25 + (0.75 * Math.round(bout.confidence * SHADES)) / SHADES;
    const run = runs[lane];
    if (run && left < run.right + APART && shade === run.shade && (right - left < 8 || run.right - run.left < 8)) {
      run.right = Math.max(run.right, right);
      run.bout = null;
      continue;
    }
    if (run) draw(run);
    runs[lane] = { left, right, shade, lane, bout };
  }
  for (const run of runs) if (run) draw(run);
}

// A dot where a bout has a comment.
function note(pen, left, y) {
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.arc(left + 5, y + 5, 3.5, 0, 7);
  pen.fill();
  pen.fillStyle = "#1c1c1c";
  pen.beginPath();
  pen.arc(left + 5, y + 5, 2, 0, 7);
  pen.fill();
}

// The behaviour's name in its box, where there is room for it.
function name(pen, lane, left, right, y, height) {
  const wide = pen.measureText(lane.title).width;
  if (right - left < wide + 8) return;
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(lane.colour.slice(at, at + 2), 16));
  pen.fillStyle = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#1c1c1c" : "#fff";
  pen.fillText(lane.title, left + 4, y + height / 2);
}

// The first of spans, sorted by their start, from which on one may reach behind a frame: the longest reaches back that
// far. [start, stop] of one are its fields of these names.
export function firstAfter(spans, frame, start = "start", stop = "stop") {
  const reach = spans.reach ?? (spans.reach = spans.reduce((most, one) => Math.max(most, one[stop] - one[start]), 0));
  let low = 0, high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle][start] < frame - reach) low = middle + 1; else high = middle;
  }
  return low;
}
