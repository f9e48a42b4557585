// A labelling's history, readable: who changed what and when; and the comments on its bouts.
import { node } from "./dom.js";
import { get } from "./api.js";
import { section, table, when } from "./parts.js";
import { titleOf } from "./compare.js";

const MOST = 200; // entries that are shown at once
const span = (bout) => `${bout.behaviour}, frames ${bout.start} to ${bout.stop}`;
const frames = (spans) => (spans ?? []).reduce((sum, [start, stop]) => sum + stop - start, 0);
// What an entry says, by what was done.
const SAYS = {
  put: ({ before, after }) => !before ? `new: ${span(after)}${said(after)}` : span(before) === span(after) ? `comment on ${span(after)}${said(after)}` : `${span(before)} → ${span(after)}`,
  delete: ({ before }) => before ? `erased: ${span(before)}` : "erased what was not there",
  annotated: ({ before, after }) => `looked at ${frames(after.spans)} frames${after.stop ? ` of those from ${after.start} to ${after.stop}` : ""}, before ${frames(before?.spans)}`,
  mark: ({ before, after }) => `${before ? "changed" : "new"}: ${marked(after)}`,
  unmark: ({ before }) => before ? `erased: ${marked(before)}` : "erased what was not there",
  state: ({ before, after }) => `${before.state} → ${after.state}${after.reason ? `: ${after.reason}` : ""}${after.replaces ? `; the dataset's labels, in the place of labelling ${after.replaces}` : ""}`,
  consensus: ({ after }) => `made of what ${after.rule === "all" ? "all" : "more than half"} of ${after.of.join(", ")} agree on`,
  replaced: ({ after }) => `no longer the dataset's labels: labelling ${after.by} was accepted`,
};
const marked = (mark) => `${mark.kind} “${mark.name}”, keyframes: ${mark.keyframes.length}`;
const said = (bout) => bout.comment ? `, “${bout.comment}”` : "";

export async function history(main, crumbs, number) {
  const track = await get(`tracks/${number}`), video = await get(`videos/${track.video}`);
  const rows = node("tbody");
  let last = 0;
  const more = node("button", { textContent: "Show more" });
  more.onclick = async () => {
    const found = await get(`tracks/${number}/history?after=${last}&most=${MOST}`);
    for (const one of found) {
      last = one.id;
      if (one.action === "annotated" && JSON.stringify(one.before) === JSON.stringify(one.after)) continue;
      const what = SAYS[one.action]?.(one) ?? one.action;
      rows.append(node("tr", {}, ...[when(one.at), one.by, what].map((text) => node("td", { textContent: text }))));
    }
    more.hidden = !found.length || !(await get(`tracks/${number}/history?after=${last}&most=1`)).length;
  };
  const made = table(["When", "Who", "What"], []);
  made.tBodies[0].replaceWith(rows);
  await more.onclick();
  if (!last) rows.append(node("tr", {}, node("td", { colSpan: 3, className: "hint", textContent: "nothing yet" })));
  const comments = track.bouts.filter((one) => one.comment).map((one) => [node("a", { href: `#video/${track.video}/${one.start}`, textContent: span(one) }), one.comment]);
  crumbs.replaceChildren(node("a", { href: `#project/${video.project}`, textContent: "Videos" }), " › ", node("a", { href: `#video/${track.video}`, textContent: video.name }), " › history");
  main.replaceChildren(node("h1", { textContent: `${video.name}: ${titleOf(track)}` }),
    ...(comments.length ? [section("Comments", table(["Bout", "Comment"], comments))] : []), section("History", made, more));
}
