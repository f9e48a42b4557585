// Boxes and points on frames: where each is between its keyframes, and what a change makes of it.
//
// A mark is {id, name, kind, keyframes}, a keyframe [frame, x, y] of a point or [frame, x, y, width, height] of a box, in
// the video's pixels. Keyframes are replaced and never changed, so that undo can keep them. The rules, and the numbers to
// the last bit, are those of data_prep/marks.py.
export const MOST_MARKS = 2000, MOST_KEYFRAMES = 20000, MOST_OF_ALL = 200000; // as the server's
const LEAST = 1; // pixels that a box is wide and high
const FINE = 100; // parts of a pixel that are kept

// The last keyframe that is not after a frame; -1 before the first.
export function last(keyframes, frame) {
  let low = -1, high = keyframes.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (keyframes[middle][0] <= frame) low = middle; else high = middle - 1;
  }
  return low;
}

export const isKey = (mark, frame) => mark.keyframes[last(mark.keyframes, frame)]?.[0] === frame;

// x, y (and width, height) at a frame; null where the mark is not there.
export function at(mark, frame) {
  const { keyframes } = mark, index = last(keyframes, frame);
  if (index < 0 || frame > keyframes[keyframes.length - 1][0]) return null;
  const [from, ...before] = keyframes[index];
  if (from === frame) return before;
  const [to, ...after] = keyframes[index + 1];
  const share = (frame - from) / (to - from);
  return before.map((one, number) => one + (after[number] - one) * share);
}

// The same, and outside of its keyframes as it is at the nearest one.
export function held(mark, frame) {
  const { keyframes } = mark;
  return at(mark, Math.max(keyframes[0][0], Math.min(frame, keyframes[keyframes.length - 1][0])));
}

export function withKeyframe(mark, frame, numbers) {
  const keyframes = mark.keyframes.filter((one) => one[0] !== frame);
  keyframes.splice(last(keyframes, frame) + 1, 0, [frame, ...numbers]);
  return { ...mark, keyframes };
}

// Null for a mark that has no other keyframe.
export function withoutKeyframe(mark, frame) {
  const keyframes = mark.keyframes.filter((one) => one[0] !== frame);
  return keyframes.length ? { ...mark, keyframes } : null;
}

const round = (number) => Math.round(FINE * number) / FINE;
const between = (low, number, high) => Math.max(low, Math.min(number, high));

// Numbers that lie in a picture of {width, height}: moved there, and made smaller only where they do not fit.
export function inside([x, y, width, height], size) {
  if (width === undefined) return [round(between(0, x, size.width)), round(between(0, y, size.height))];
  const wide = round(between(LEAST, width, size.width)), high = round(between(LEAST, height, size.height));
  return [round(between(0, x, size.width - wide)), round(between(0, y, size.height - high)), wide, high];
}

// The box between two corners, of which both come into the picture first.
export function boxBetween([left, top], [right, bottom], size) {
  const [x, y] = [[left, right], [top, bottom]].map((pair, side) => {
    const edges = pair.map((one) => between(0, one, side ? size.height : size.width));
    return [Math.min(...edges), Math.abs(edges[1] - edges[0])];
  });
  return inside([x[0], y[0], x[1], y[1]], size);
}

// Do a change to the marks of a labelling, a Map by id; returns it as the server takes it.
export function applied(marks, { before, after }) {
  if (after) { marks.set(after.id, after); return { action: "mark", mark: after }; }
  marks.delete(before.id);
  return { action: "unmark", id: before.id };
}

// Why the server would not take marks with a change of one; null where it would.
export function tooMany(marks, after) {
  let size = after.keyframes.length, count = 1;
  for (const one of marks.values()) if (one.id !== after.id) { size += one.keyframes.length; count += 1; }
  if (count > MOST_MARKS) return `a labelling holds up to ${MOST_MARKS} boxes and points`;
  if (after.keyframes.length > MOST_KEYFRAMES || size > MOST_OF_ALL) return `${after.keyframes.length} keyframes here, ${size} in all: more than can be kept`;
  return null;
}
