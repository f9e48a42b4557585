// How far people agree, over a project's videos that two or more have handed in.
import { node } from "./dom.js";
import { get } from "./api.js";
import { kappa, percent, section, table } from "./parts.js";

export async function agreement(project) {
  const found = await get(`projects/${project.id}/agreement`);
  if (!found.videos.length) return node("p", { className: "hint", textContent: "No video has been handed in by two people yet. Give one to two of them, blind, to see how far they agree." });
  const names = (pair) => pair.annotators.join(" and ");
  const out = node("div", {}, node("p", { className: "hint", textContent: `Measured is ${found.measured}.` }));
  if (found.exclusive) {
    out.append(section("Pairs of people", table(["Pair", "Frames", "Agree", "Cohen's kappa"], found.pairs.map((one) => [names(one), one.frames, percent(one.agreement), kappa(one.cohen_kappa)]))));
    out.append(section("All together", table(["Annotators of a video", "Videos", "Frames", "Agree", "Fleiss' kappa"], found.fleiss.map((one) => [one.annotators, one.videos, one.frames, percent(one.agreement), kappa(one.fleiss_kappa)]))));
  }
  const each = Object.entries(found.behaviours).flatMap(([name, one]) => one.pairs.map((pair) => [name, names(pair), percent(pair.agreement), kappa(pair.cohen_kappa)]));
  out.append(section("Each behaviour, yes or no", table(["Behaviour", "Pair", "Agree", "Cohen's kappa"], each)));
  const together = Object.entries(found.behaviours).flatMap(([name, one]) => one.fleiss.map((all) => [name, all.annotators, all.videos, percent(all.agreement), kappa(all.fleiss_kappa)]));
  if (found.videos.some((one) => one.annotators.length > 2)) out.append(section("Each behaviour, all together", table(["Behaviour", "Annotators of a video", "Videos", "Agree", "Fleiss' kappa"], together)));
  const videos = found.videos.map((one) => [node("a", { href: `#video/${one.video}`, textContent: one.name }), one.annotators.join(", "), one.frames, percent(one.all_agree), one.differences,
    ...(found.exclusive ? [kappa(one.fleiss_kappa)] : [])]);
  out.append(section("Videos", table(["Video", "By", "Frames", "All the same", "Differences", ...(found.exclusive ? ["Fleiss' kappa"] : [])], videos)));
  return out;
}
