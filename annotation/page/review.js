// What becomes of a labelling: handed in, taken back, accepted, returned; and its files, in and out.
import { node } from "./dom.js";
import { post, upload } from "./api.js";
import { titleOf } from "./compare.js";

// Fill `place` with the buttons of a labelling, and `line` with its state in words. `then.changed` is called when it has
// another state, `then.reopen` when its bouts came from a file, `then.say` with what there is to say.
export function review(place, line, labelling, project, video, then) {
  const { track } = labelling;
  const act = async (what) => {
    try {
      if (labelling.waiting.length) throw new Error("wait until all is saved");
      await what();
    } catch (error) { then.say(error.message, true); }
  };
  line.textContent = words(labelling);
  const to = choices(labelling, project);
  const reason = node("input", { placeholder: "Why it is returned, for its author", maxLength: 2000, ariaLabel: "Why it is returned" });
  const buttons = to.map(([name, title]) => node("button", { textContent: title, onclick: () => act(async () => {
    const { state, labels, version } = await post(`tracks/${track.id}/state`, { state: name, reason: reason.value });
    Object.assign(track, { state, labels, version, reason: name === "returned" ? reason.value : "" });
    await then.changed();
  }) }));
  const files = ["labels", "bouts"].flatMap((kind) => [node("a", { href: `api/tracks/${track.id}/export?kind=${kind}`, textContent: `${kind}.csv`, download: `${video.name}.${kind}.csv` }), " "]);
  place.replaceChildren(...buttons, " ", ...files, node("a", { href: `#history/${track.id}`, textContent: "History" }));
  if (!track.mine && to.length) place.append(reason);
  if (track.mine && labelling.editable) place.append(taking(track, act, then));
}

function words({ track, editable }) {
  const whose = track.mine ? (track.kind === "consensus" ? "Consensus, yours" : "Yours") : titleOf(track).replace(/ \(.*\)$/, "");
  const current = track.state !== "accepted" ? "" : track.labels ? ", the dataset's labels" : ", but another one was accepted later";
  return `${whose}: ${track.kind === "model" ? "predictions" : track.state}${current}${track.reason ? `, because: ${track.reason}` : ""}${editable ? "" : "; cannot be changed"}`;
}

// What it can become, and how the button is called.
function choices({ track, editable }, project) {
  if (track.mine && track.kind === "consensus") return editable ? [["accepted", "Accept"]] : [["returned", "Open again"]];
  if (track.mine) return editable ? [["submitted", "Hand in"]] : track.state === "submitted" ? [["draft", "Take back"]] : [];
  return project.role !== "annotator" && ["submitted", "accepted"].includes(track.state) ? [["accepted", "Accept"], ["returned", "Return"]] : [];
}

// A file of another tool, or of `ethocaffe predict`: its bouts come into one's own labelling.
function taking(track, act, then) {
  const file = node("input", { type: "file", accept: ".csv,.tsv,.boris,.json,.nwb" });
  file.onchange = () => act(async () => {
    const [given] = file.files;
    const { bouts } = await upload(`tracks/${track.id}/import?name=${encodeURIComponent(given.name)}`, given);
    await then.reopen();
    then.say(`${bouts} bouts taken from the file`);
  });
  return node("label", { className: "hint" }, "Take bouts from a file ", file);
}
