// The list of the bouts near the frame that is shown, with their comments.
import { node } from "./dom.js";

const MOST = 12; // rows

// place: gives the table's body, null when the page has gone. given: player, and labelling(), chosen() as they are now, and
// go(bout) to show one. Returns what brings the list up to date.
export function near(place, { player, labelling, chosen, go }) {
  let listed = "";
  return function list() {
    const body = place(), now = labelling();
    if (!body || !now) return;
    const all = now.sorted().filter((one) => one.behaviour);
    const here = all.findIndex((one) => one.stop > player.frame);
    const from = Math.max(0, (here < 0 ? all.length : here) - MOST / 2), bouts = all.slice(from, from + MOST);
    // Made anew only where it differs, so that what is focused, or being written, stays.
    const told = JSON.stringify([bouts.map(({ id, behaviour, start, stop }) => [id, behaviour, start, stop]), chosen(), now.editable, now.track.id]);
    if (told !== listed) {
      listed = told; // first: a comment that is being written is kept when its field goes, and comes here again
      const focused = document.activeElement, kept = body.contains(focused) ? focused : null;
      body.replaceChildren(...bouts.map(row));
      const again = kept && body.querySelector(`[data-of="${kept.dataset.of}"]`);
      if (again && kept.value) again.value = kept.value;
      again?.focus();
    }
    for (const bout of bouts) {
      const comment = body.querySelector(`input[data-of="${bout.id} comment"]`);
      if (comment && comment !== document.activeElement) comment.value = bout.comment || "";
    }
  };

  function row(bout) {
    const show = node("button", { textContent: bout.behaviour, onclick: () => go(bout) });
    const comment = node("input", { maxLength: 2000, disabled: !labelling().editable, ariaLabel: `Comment on ${bout.behaviour} from frame ${bout.start}` });
    comment.onchange = comment.onblur = () => labelling().comment(bout.id, comment.value);
    comment.onkeydown = (event) => { if (event.key === "Enter") comment.blur(); };
    show.dataset.of = `${bout.id} go`;
    comment.dataset.of = `${bout.id} comment`;
    return node("tr", { className: bout.id === chosen() ? "chosen" : "" }, ...[show, bout.start, bout.stop, comment].map((one) => node("td", {}, one)));
  }
}
