// Which page is shown: signing in, projects, a project's videos, a video.
import { ask, enter, get, me, post } from "./api.js";
import { node } from "./dom.js";
import { edit } from "./editor.js";
import { models } from "./jobs.js";
import { clock } from "./timeline.js";

const main = document.getElementById("main");
const crumbs = document.getElementById("crumbs");
let leave = null; // what the page that is shown wants done before another comes

async function show() {
  if (leave) { leave(); leave = null; }
  document.getElementById("saving").textContent = "";
  const place = location.hash.slice(1);
  const invitation = place.match(/^invitation=(.+)$/);
  if (invitation) return form("join", { invitation: invitation[1] });
  let person;
  try {
    person = await me();
  } catch (error) {
    if (error.status === 401) return form("sign-in", {});
    return trouble(error);
  }
  who(person);
  const [kind, number] = place.split("/");
  try {
    if (kind === "video") leave = await edit(main, crumbs, Number(number));
    else if (kind === "project") await project(Number(number));
    else await projects(person);
  } catch (error) { trouble(error); }
  main.focus({ preventScroll: true });
}

function trouble(error) {
  crumbs.replaceChildren();
  main.replaceChildren(node("p", { className: "fault", role: "alert", textContent: error.message }));
}

function who(person) {
  const out = node("button", { textContent: "Sign out" });
  out.onclick = async () => { await post("sign-out"); location.hash = ""; show(); };
  document.getElementById("who").replaceChildren(`${person.name} `, out);
}

function form(kind, more) {
  crumbs.replaceChildren();
  document.getElementById("who").replaceChildren();
  const part = document.getElementById("sign-in").content.cloneNode(true);
  const [title, hint, button] = kind === "join"
    ? ["You are invited", "Choose a name and a password of at least ten characters.", "Join"]
    : ["Sign in", "No account? Ask whoever runs this server for an invitation.", "Sign in"];
  part.querySelector("h1").textContent = title;
  part.querySelector(".hint").textContent = hint;
  part.querySelector("button").textContent = button;
  const password = part.querySelector("[name=password]");
  password.autocomplete = kind === "join" ? "new-password" : "current-password";
  if (kind === "join") password.minLength = 10;
  const fault = part.querySelector(".fault");
  part.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const body = { ...Object.fromEntries(new FormData(event.target)), ...more };
    try {
      await enter(kind, body);
      if (kind === "join") history.replaceState(null, "", location.pathname);
      show();
    } catch (error) { fault.textContent = error.message; }
  };
  main.replaceChildren(part);
  main.querySelector("input").focus();
}

async function projects() {
  const found = await get("projects");
  crumbs.replaceChildren();
  if (found.length === 1) { location.hash = `project/${found[0].id}`; return; }
  const rows = found.map((one) => node("tr", {}, node("td", {}, node("a", { href: `#project/${one.id}`, textContent: one.name })), node("td", { textContent: one.role })));
  main.replaceChildren(node("h1", { textContent: "Projects" }), node("table", { className: "list" }, ...rows));
}

async function project(number) {
  const found = await get(`projects/${number}`);
  crumbs.replaceChildren(node("a", { href: "#", textContent: "Projects" }), ` › ${found.name}`);
  const head = node("thead", {}, node("tr", {}, ...["Video", "Length", "Assigned to you", "Labellings"].map((text) => node("th", { textContent: text }))));
  const rows = found.videos.map((one) => node("tr", {},
    node("td", {}, node("a", { href: `#video/${one.id}`, textContent: one.name })),
    node("td", { textContent: clock(one.frames / one.fps) }),
    node("td", { textContent: one.assigned ? "yes" : "" }),
    node("td", { textContent: Object.entries(one.states).map(([state, count]) => `${count} ${state}`).join(", ") || "none" })));
  main.replaceChildren(node("h1", { textContent: found.name }), node("table", { className: "list" }, head, node("tbody", {}, ...rows)));
  if (found.role === "manager") main.append(invitations(number));
  main.append(models(found));
}

function invitations(number) {
  const role = node("select", { ariaLabel: "Role" }, ...["annotator", "expert", "manager"].map((text) => node("option", { textContent: text })));
  const link = node("output");
  const button = node("button", { textContent: "Make an invitation" });
  button.onclick = async () => {
    try {
      const { secret } = await ask("POST", `projects/${number}/invitations`, { role: role.value });
      link.textContent = ` ${location.origin}${location.pathname}#invitation=${secret}  (for one person, once, within a week)`;
    } catch (error) { link.textContent = ` ${error.message}`; }
  };
  return node("p", {}, "Invite somebody as ", role, " ", button, link);
}

addEventListener("hashchange", show);
show();
