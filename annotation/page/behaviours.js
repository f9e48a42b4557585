// A project's behaviours: their keys and colours, names that have no bouts, and new ones at the end.
import { node } from "./dom.js";
import { ask } from "./api.js";
import { taken } from "./keys.js";
import { button, fault, section, table } from "./parts.js";

const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#8A8A8A"]; // Okabe and Ito's
const HINT = "Names of behaviours with bouts stay, and so does the order: models and labels know them by it. The dataset's classes.txt follows.";

export async function behaviours(project, may, again) {
  const readOnly = !may("manager"), wrong = fault(), list = node("div");
  const shown = project.behaviours.map(fields);
  const draw = () => list.replaceChildren(table(["Name", "Key", "Colour"], shown.map((one) => [one.name, one.key, one.colour])));
  for (const one of shown) for (const input of Object.values(one)) input.disabled = readOnly;
  draw();
  const exclusive = node("input", { type: "radio", name: "several", checked: project.exclusive, disabled: readOnly });
  const several = node("input", { type: "radio", name: "several", checked: !project.exclusive, disabled: readOnly });
  const how = node("p", { className: "bar" }, node("label", {}, exclusive, " one at a time"), node("label", {}, several, " several at once"));
  if (readOnly) return section("Behaviours", list, how);
  const add = button("Add a behaviour", wrong, () => {
    shown.push(fields({ name: "", key: "", colour: COLOURS[shown.length % COLOURS.length] }));
    draw();
    shown.at(-1).name.focus();
  });
  const save = button("Save", wrong, async () => {
    const given = shown.map((one) => ({ name: one.name.value.trim(), key: one.key.value.toLowerCase(), colour: one.colour.value })).filter((one) => one.name);
    const clash = given.find((one) => one.key && taken(one.key));
    if (clash) throw new Error(`${clash.name}: the key ${clash.key === " " ? "space" : clash.key} is for “${taken(clash.key)}”; choose a letter`);
    await ask("PATCH", `projects/${project.id}`, { behaviours: given, exclusive: exclusive.checked });
    await again();
    document.getElementById("saving").textContent = "All saved";
  });
  return section("Behaviours", list, how, node("p", { className: "bar" }, add, save), wrong, node("p", { className: "hint", textContent: HINT }));
}

function fields({ name, key, colour }) {
  return {
    name: node("input", { value: name, maxLength: 80, size: 40, ariaLabel: "Name" }),
    key: node("input", { value: key, maxLength: 1, size: 2, ariaLabel: `Key of ${name || "the new behaviour"}` }),
    colour: node("input", { type: "color", value: colour || "#8A8A8A", ariaLabel: `Colour of ${name || "the new behaviour"}` }),
  };
}
