// A project's videos: how far each is, whose it is to annotate, and, for managers, giving them out and adding new ones.
import { node } from "./dom.js";
import { ask, get, post } from "./api.js";
import { button, fault, select, table } from "./parts.js";
import { adding } from "./adding.js";
import { models } from "./jobs.js";
import { clock } from "./timeline.js";

const LOOK = 2000, SELDOM = 15000; // milliseconds between two looks at what is being checked, and at what may come

export async function videos(project, may, again) {
  const manager = may("manager"), wrong = fault();
  const boxes = new Map(project.videos.map((one) => [one.id, node("input", { type: "checkbox", ariaLabel: `Choose ${one.name}` })]));
  const titles = [...(manager ? ["Choose"] : []), "Video", "Length", "Labellings", may("expert") ? "To annotate by" : "Assigned to you", "Model's confidence"];
  const rows = project.videos.map((one) => [
    ...(manager ? [boxes.get(one.id)] : []),
    node("a", { href: `#video/${one.id}`, textContent: one.name }),
    clock(one.frames / one.fps),
    Object.entries(one.states).map(([state, count]) => `${count} ${state}`).join(", ") || "none",
    may("expert") ? one.assigned_to.map((who) => chip(project, one, who, manager, wrong, again)) : one.assigned_to.map(({ blind }) => blind ? "yes, blind" : "yes"),
    one.confidence == null ? "" : [one.confidence.toFixed(2), ...(project.next.includes(one.id) ? [" ", node("strong", { className: "least", textContent: "next: the model is least sure here" })] : [])],
  ]);
  const out = node("div", {}, table(titles, rows, "no videos yet"), wrong, ...coming(project, again));
  if (may("expert")) out.append(node("p", { className: "hint" }, node("a", { href: `api/projects/${project.id}/bouts?as=csv`, textContent: "All bouts of all videos, as a table (CSV)", download: "bouts.csv" })));
  if (manager) out.prepend(await giving(project, boxes, wrong, again));
  out.append(models(project));
  if (manager) out.append(adding(project, again));
  return out;
}

// The files that are no videos of the project yet: looked at until one has become one, or cannot.
function coming(project, again) {
  const bad = Object.entries(project.refused);
  const what = project.checking.length ? node("p", { className: "hint", role: "status", textContent: `Being checked, frame by frame: ${project.checking.slice(0, 5).join(", ")}${project.checking.length > 5 ? ` and ${project.checking.length - 5} more` : ""}` }) : node("span");
  const look = async () => {
    if (!what.isConnected) return;
    const now = await get(`projects/${project.id}`).catch(() => project);
    if (!what.isConnected) return;
    if (`${now.checking}|${Object.keys(now.refused)}` !== `${project.checking}|${Object.keys(project.refused)}`) await again();
    else setTimeout(look, pause);
  };
  const pause = project.checking.length ? LOOK : SELDOM;
  setTimeout(look, pause);
  return [what, ...(bad.length ? [node("details", { className: "hint" }, node("summary", { textContent: `${bad.length} file${bad.length > 1 ? "s" : ""} in videos/ cannot be used` }), node("ul", {}, ...bad.map(([name, why]) => node("li", { textContent: `${name}: ${why}` }))))] : [])];
}

function chip(project, video, who, manager, wrong, again) {
  const made = node("span", { className: "chip", textContent: `${who.name}${who.blind ? " (blind)" : ""}` });
  if (manager) {
    made.append(button("×", wrong, async () => {
      await ask("DELETE", `projects/${project.id}/assignments/${who.id}`);
      await again();
    }, { ariaLabel: `Take ${video.name} back from ${who.name}`, title: "Take back" }));
  }
  return made;
}

async function giving(project, boxes, wrong, again) {
  const members = await get(`projects/${project.id}/members`);
  if (!members.length) return node("p", { className: "hint", textContent: "Invite people (see People), then their videos can be given to them here." });
  const person = select(members.map((one) => [one.id, `${one.name} (${one.role})`]));
  const blind = node("input", { type: "checkbox" });
  const give = button("Assign", wrong, async () => {
    const chosen = [...boxes].filter(([, box]) => box.checked).map(([id]) => id);
    if (!chosen.length) throw new Error("choose videos in the table first");
    for (const video of chosen) await post(`projects/${project.id}/assignments`, { video, user: Number(person.value), blind: blind.checked });
    await again();
  });
  return node("p", { className: "bar" }, node("label", {}, "Give the chosen videos to ", person), node("label", { title: "Without seeing others' labels until they hand in" }, blind, " blind"), give);
}
