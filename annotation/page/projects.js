// The projects one is in, and, for administrators, making new ones.
import { node } from "./dom.js";
import { get, post } from "./api.js";
import { button, fault, section, table } from "./parts.js";

export async function projects(main, crumbs, person, all) {
  const found = await get("projects");
  crumbs.replaceChildren(...(all ? ["Projects"] : []));
  if (found.length === 1 && !all) { location.hash = `project/${found[0].id}`; return; }
  const rows = found.map((one) => [node("a", { href: `#project/${one.id}`, textContent: one.name }), one.role, one.behaviours.map(({ name }) => name).join(", ")]);
  main.replaceChildren(node("h1", { textContent: "Projects" }), table(["Project", "You are", "Behaviours"], rows, "you are in no project yet"), ...(person.admin ? [making()] : []));
}

function making() {
  const wrong = fault();
  const name = node("input", { maxLength: 80, pattern: "[A-Za-z0-9_\\-]{1,80}", placeholder: "letters, digits, _ and -" });
  const behaviours = node("textarea", { rows: 5, placeholder: "one in a line" });
  const several = node("input", { type: "checkbox" });
  const make = button("Make the project", wrong, async () => {
    const lines = behaviours.value.split("\n").map((one) => one.trim()).filter(Boolean);
    const made = await post("projects", { name: name.value.trim(), behaviours: lines, exclusive: !several.checked });
    location.hash = `project/${made.id}`;
  });
  return section("New project", node("label", { className: "field" }, "Name ", name), node("label", { className: "field" }, "Behaviours ", behaviours),
    node("label", { className: "line" }, several, " several behaviours can be at once"), make, wrong);
}
