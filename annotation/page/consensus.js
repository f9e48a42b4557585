// Making a consensus of what people have handed in of a video: an expert's own labelling of what they agree on.
import { node } from "./dom.js";
import { post } from "./api.js";

export function consensus(video, tracks, made) {
  const done = tracks.filter((one) => one.kind === "person" && ["submitted", "accepted"].includes(one.state));
  if (done.length < 2) return node("span");
  const boxes = done.map((one) => node("input", { type: "checkbox", value: one.id, checked: true }));
  const rule = node("select", {}, node("option", { value: "all", textContent: "all agree" }), node("option", { value: "majority", textContent: "more than half agree" }));
  const fault = node("p", { className: "fault" });
  fault.setAttribute("role", "alert");
  const button = node("button", { textContent: "Make a consensus" });
  button.onclick = async () => {
    try {
      const chosen = boxes.filter((one) => one.checked).map((one) => Number(one.value));
      if (chosen.length < 2) throw new Error("choose two or more");
      await made((await post(`videos/${video}/consensus`, { tracks: chosen, rule: rule.value })).id);
    } catch (error) { fault.textContent = error.message; }
  };
  const people = done.map((one, index) => node("label", { className: "line" }, boxes[index], ` ${one.author}`));
  return node("details", { className: "consensus" }, node("summary", { textContent: "Consensus" }), ...people,
    node("label", { className: "line" }, "Keep what ", rule), button,
    node("p", { className: "hint", textContent: "The rest is not annotated, for you to decide: Page Down goes there." }), fault);
}
