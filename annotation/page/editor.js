// A video with its labelling: keys, buttons, timeline and list are views of the same Labelling.
import { node } from "./dom.js";
import { frameTimes, get, post } from "./api.js";
import { Labelling } from "./labelling.js";
import { Marking } from "./marking.js";
import { Player } from "./player.js";
import { clock, Timeline } from "./timeline.js";
import { fillKeys, keyOf } from "./keys.js";
import { Comparison, titleOf } from "./compare.js";
import { consensus } from "./consensus.js";
import { near } from "./near.js";
import { review } from "./review.js";

const NOTHING = { name: "", key: "0", colour: "#B8B8B8", title: "none of these" };
const MANY = 12; // behaviours, from which on they are written smaller
const WORK = 30; // seconds between two reports of work

export async function edit(main, crumbs, number, start = 0) {
  const video = await get(`videos/${number}`);
  const [project, times, own] = await Promise.all([get(`projects/${video.project}`), frameTimes(video), post(`videos/${number}/tracks`)]);
  const part = document.getElementById("editor").content.cloneNode(true);
  const find = (what) => main.querySelector(what);
  part.querySelector("h1").textContent = video.name;
  main.replaceChildren(part);
  crumbs.replaceChildren(node("a", { href: "#projects", textContent: "Projects" }), " › ", node("a", { href: `#project/${project.id}`, textContent: project.name }), ` › ${video.name}`);

  const lanes = [...project.behaviours.map((one) => ({ ...one, title: one.name })), NOTHING];
  const saving = document.getElementById("saving");
  let labelling = null, painting = null, chosen = null;

  const timeline = new Timeline(find("canvas"), video.frames, video.fps, lanes, (what, ...more) => timelineTold(what, ...more));
  const player = new Player(find("video"), `api/videos/${number}/file`, times, (frame) => shown(frame));
  const marking = new Marking(find(".marking"), find(".picture svg"), {
    player, timeline, video, labelling: () => labelling, unchoose: () => choose(null), reopen: taken, say: (...what) => told("saving", ...what),
  });
  const comparison = new Comparison(find(".comparing"), video, timeline, (frame) => { player.video.pause(); player.go(frame); }, project.role !== "annotator");
  const list = near(() => find(".near tbody"), {
    player, labelling: () => labelling, chosen: () => chosen, go: (bout) => { choose(bout.id); player.video.pause(); player.go(bout.start); },
  });
  const view = { get labelling() { return labelling; }, get chosen() { return chosen; }, player, timeline, marking, video, times, comparison };
  window.ethocaffe = view; // for whoever looks in from the browser's console, and for tests

  async function open(track, found = null) {
    stopPainting(true);
    labelling = new Labelling(found ?? await get(`tracks/${track}`), video.frames, project.exclusive, told, () => open(track));
    told("changed");
    state();
    await comparison.open(labelling);
    shown(player.frame);
  }

  // Bouts, boxes or points came from a file.
  function taken() { const earlier = labelling; return open(earlier.track.id).then(() => labelling.since(earlier)); }

  function told(what, text, bad = false, choices = []) {
    if (what === "saving") {
      saving.replaceChildren(text, ...choices.flatMap(([textContent, onclick]) => [" ", node("button", { textContent, onclick })]));
      saving.classList.toggle("bad", bad);
      return;
    }
    timeline.bouts = labelling.sorted();
    comparison.changed();
    if (!labelling.bouts.has(chosen)) choose(null);
    marking.draw();
    timeline.draw();
    list();
  }

  // Back in this window: what was changed elsewhere meanwhile is shown.
  async function look() {
    const { track, waiting } = labelling ?? {};
    if (document.hidden || !track || waiting.length || painting) return;
    const now = (await get(`videos/${number}/tracks`)).find((one) => one.id === track.id);
    if (!now || now.version === track.version) return;
    const found = await get(`tracks/${track.id}`);
    if (labelling.track !== track || waiting.length || painting || found.version === track.version) return;
    await open(track.id, found);
    told("saving", "Changed elsewhere: this is how it is now");
    await tracks();
  }

  function timelineTold(what, ...more) {
    if (what === "editable") return labelling?.editable;
    if (what === "go") { player.video.pause(); player.go(more[0]); }
    if (what === "moved") labelling.move(...more);
    if (what === "chosen") choose(more[0]);
  }

  function choose(id) { if (id !== null) marking.choose(null); chosen = id; timeline.chosen = id; timeline.draw(); list(); }

  function shown(frame) {
    find(".place").textContent = `frame ${frame} of ${video.frames} · ${clock(times[frame], true)}${comparison.says(frame)}`;
    timeline.follow(frame);
    marking.draw();
    if (!player.playing) list();
  }

  // A key starts a behaviour at this frame, and the same key stops it, this frame included.
  function paint(behaviour) {
    if (!labelling?.editable) return;
    const was = painting;
    stopPainting();
    if (was?.behaviour !== behaviour) painting = timeline.painting = { behaviour, from: player.frame };
    pressed();
    timeline.draw();
  }

  function stopPainting(forget = false) {
    if (painting && !forget && labelling) {
      const [from, to] = [Math.min(painting.from, player.frame), Math.max(painting.from, player.frame)];
      choose(labelling.paint(painting.behaviour, from, to + 1));
    }
    painting = timeline.painting = null;
    pressed();
  }

  function pressed() {
    for (const button of find(".behaviours")?.children ?? []) button.setAttribute("aria-pressed", String(painting?.behaviour === button.dataset.name));
  }

  function behaviours() {
    find(".behaviours").classList.toggle("many", lanes.length > MANY);
    find(".behaviours").replaceChildren(...lanes.map((lane) => {
      const button = node("button", { title: lane.title, onclick: () => paint(lane.name) });
      button.dataset.name = lane.name;
      button.setAttribute("aria-pressed", "false");
      const colour = node("i");
      colour.style.background = lane.colour;
      button.append(colour, node("span", { textContent: lane.title }), node("kbd", { textContent: lane.key || " " }));
      return button;
    }));
  }

  function state() {
    const say = (text, bad = false) => told("saving", text, bad);
    const changed = async () => { state(); await tracks(); };
    review(find(".review"), find(".state"), labelling, project, video, { changed, say, reopen: taken });
  }

  async function tracks() {
    const found = await get(`videos/${number}/tracks`);
    const choice = find("[data-do=track]");
    choice.replaceChildren(...found.map((one) => node("option", { value: one.id, textContent: titleOf(one) })));
    choice.value = labelling?.track.id ?? own.id;
    if (project.role !== "annotator") find(".uniting").replaceChildren(consensus(number, found, (track) => open(track).then(tracks)));
    choice.onchange = () => open(Number(choice.value)).then(() => choice.blur());
  }

  function jump(by) {
    const edges = [...new Set(labelling.sorted().flatMap((one) => [one.start, one.stop]))].sort((a, b) => a - b);
    const next = by > 0 ? edges.find((one) => one > player.frame) : edges.findLast((one) => one < player.frame);
    if (next !== undefined) { player.video.pause(); player.go(next); }
  }

  // The next stretch that nobody looked at, or of which the model is not sure.
  function doubtful(by) {
    const looked = labelling.sorted();
    const gaps = [];
    let at = 0;
    for (const one of looked) { if (one.start > at) gaps.push(at); at = Math.max(at, one.stop); }
    if (at < video.frames) gaps.push(at);
    const unsure = comparison.model.filter((one) => one.confidence != null && one.confidence < 0.6).map((one) => one.start);
    const places = [...gaps, ...unsure].sort((a, b) => a - b);
    const next = by > 0 ? places.find((one) => one > player.frame) : places.findLast((one) => one < player.frame);
    if (next !== undefined) { player.video.pause(); player.go(next); }
  }

  const actions = {
    play: () => player.toggle(), back: () => player.step(-1), on: () => player.step(1), back10: () => player.step(-10), on10: () => player.step(10),
    backFar: () => player.step(-timeline.span / 10), onFar: () => player.step(timeline.span / 10), first: () => player.step(-Infinity), last: () => player.step(Infinity), faster: () => speed(1), slower: () => speed(-1),
    bout: () => { const bout = labelling.bouts.get(chosen); if (bout) { player.go(bout.start); player.toggle(bout.stop); } },
    ...marking.actions,
    erase: () => { if (!marking.erase() && chosen) labelling.erase(chosen); },
    choose: () => chooseHere(), startHere: () => edge((bout) => [player.frame, bout.stop]), stopHere: () => edge((bout) => [bout.start, player.frame + 1]),
    split: () => chosen && labelling.split(chosen, player.frame), merge: () => chosen && labelling.merge(chosen),
    take: () => {
      const bout = timeline.others.find((one) => one.start <= player.frame && player.frame < one.stop);
      if (bout && labelling.editable) choose(labelling.paint(bout.behaviour, bout.start, bout.stop));
    },
    undo: () => { stopPainting(true); labelling.undo(); }, redo: () => { stopPainting(true); labelling.redo(); },
    nextEdge: () => jump(1), previousEdge: () => jump(-1), nextDoubt: () => doubtful(1), previousDoubt: () => doubtful(-1),
    nextDifference: () => comparison.jump(player.frame, 1), previousDifference: () => comparison.jump(player.frame, -1),
    zoomIn: () => timeline.zoom(0.6), zoomOut: () => timeline.zoom(1.6), cancel: () => { stopPainting(true); choose(null); marking.cancel(); timeline.draw(); },
    help: () => document.getElementById("keys").showModal(),
  };

  // The bout at this frame; where several are, the one after that which is chosen.
  function chooseHere() {
    const here = labelling.sorted().filter((one) => one.start <= player.frame && player.frame < one.stop);
    if (here.length) choose(here[(here.findIndex((one) => one.id === chosen) + 1) % here.length].id);
  }

  function edge(moved) { const bout = labelling.bouts.get(chosen); if (bout && labelling.editable) labelling.move(bout.id, ...moved(bout)); }

  function speed(by) {
    const choice = find("[data-do=speed]");
    choice.selectedIndex = Math.max(0, Math.min(choice.options.length - 1, choice.selectedIndex + by));
    player.video.playbackRate = Number(choice.value);
  }

  function key(event) {
    if (event.target.matches("input, select, textarea") || document.getElementById("keys").open) return;
    const action = keyOf(event);
    const lane = !action && !event.ctrlKey && !event.metaKey && !event.altKey && lanes.find((one) => one.key && one.key === event.key.toLowerCase());
    if (!action && !lane) return;
    if (event.target.matches("button, a") && [" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    if (lane && !event.repeat) paint(lane.name);
    if (action) actions[action]();
  }

  const lane = find("[data-do=lane]");
  const lanesAs = (single) => { timeline.single = single; lane.setAttribute("aria-pressed", String(single)); timeline.draw(); };
  lane.hidden = !project.exclusive;
  lane.onclick = () => { localStorage.setItem("one lane", timeline.single ? "" : "yes"); lanesAs(!timeline.single); };
  lanesAs(project.exclusive && localStorage.getItem("one lane") === "yes");
  find(".controls").addEventListener("click", (event) => actions[event.target.dataset.do]?.());
  // After the mouse the space bar is for the video again; who came by keyboard stays where they are.
  find(".editor").addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });
  find("[data-do=speed]").onchange = () => speed(0);
  player.video.addEventListener("play", () => { find("[data-do=play]").textContent = "Stop"; });
  player.video.addEventListener("pause", () => { const button = find("[data-do=play]"); if (button) button.textContent = "Play"; });
  document.addEventListener("keydown", key);
  const stay = (event) => { if (labelling?.waiting.length) event.preventDefault(); };
  addEventListener("beforeunload", stay);
  const back = () => { look().catch(() => {}); };
  addEventListener("focus", back);
  document.addEventListener("visibilitychange", back);
  let active = 0;
  const busy = () => { active = Date.now(); };
  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, busy);
  const worked = setInterval(() => { if (Date.now() - active < 1000 * WORK || player.playing) post(`videos/${number}/work`, { seconds: WORK }).catch(() => {}); }, 1000 * WORK);
  fillKeys(document.getElementById("keys"), lanes);
  behaviours();
  player.go(start || 0);
  await open(own.id);
  await tracks();
  return () => {
    comparison.close();
    clearInterval(worked);
    document.removeEventListener("keydown", key);
    for (const kind of ["keydown", "pointerdown"]) document.removeEventListener(kind, busy);
    removeEventListener("beforeunload", stay);
    removeEventListener("focus", back);
    document.removeEventListener("visibilitychange", back);
    player.video.removeAttribute("src");
    player.video.load();
  };
}
