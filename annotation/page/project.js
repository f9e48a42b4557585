// A project: its parts, and the one that is shown.
import { node } from "./dom.js";
import { get } from "./api.js";
import { videos } from "./videos.js";
import { people } from "./members.js";
import { behaviours } from "./behaviours.js";
import { agreement } from "./agreement.js";

const ROLES = ["annotator", "expert", "manager"];
// What the address says, the title, from which role on, and what makes it.
const PARTS = [
  ["", "Videos", "annotator", videos],
  ["people", "People", "annotator", people],
  ["agreement", "Agreement", "expert", agreement],
  ["behaviours", "Behaviours", "annotator", behaviours],
];

export async function project(main, crumbs, number, part = "") {
  const found = await get(`projects/${number}`);
  crumbs.replaceChildren(node("a", { href: "#projects", textContent: "Projects" }), ` › ${found.name}`);
  const may = (role) => ROLES.indexOf(found.role) >= ROLES.indexOf(role);
  const parts = PARTS.filter(([, , role]) => may(role));
  const chosen = parts.find(([name]) => name === part) ?? parts[0];
  const tabs = node("nav", { className: "tabs", ariaLabel: "Parts of the project" }, ...parts.map(([name, title]) => {
    const link = node("a", { href: `#project/${number}${name && `/${name}`}`, textContent: title });
    if (name === chosen[0]) link.setAttribute("aria-current", "page");
    return link;
  }));
  const again = () => project(main, crumbs, number, part);
  main.replaceChildren(node("h1", { textContent: found.name }), tabs, await chosen[3](found, may, again));
}
