// Which page is shown: signing in, projects, a part of one, a video, a labelling's history, one's own tokens.
import { enter, me, post } from "./api.js";
import { node } from "./dom.js";
import { edit } from "./editor.js";
import { project } from "./project.js";
import { projects } from "./projects.js";
import { account } from "./account.js";
import { history as historyOf } from "./history.js";
import { reference } from "./reference.js";

const main = document.getElementById("main");
const crumbs = document.getElementById("crumbs");
let leave = null; // what the page that is shown wants done before another comes
let showing = Promise.resolve();

// One page after the other: one that takes long to come must not come over the next.
function show() {
  showing = showing.then(bring).catch(trouble);
}

async function bring() {
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
  const [kind, number, part] = place.split("/");
  try {
    if (kind === "video") leave = await edit(main, crumbs, Number(number), Number(part ?? 0));
    else if (kind === "project") await project(main, crumbs, Number(number), part);
    else if (kind === "history") await historyOf(main, crumbs, Number(number));
    else if (kind === "account") await account(main, crumbs, person);
    else if (kind === "api") await reference(main, crumbs);
    else await projects(main, crumbs, person, kind === "projects");
  } catch (error) { trouble(error); }
  // Unless somebody was quicker than the rest of the page.
  if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

function trouble(error) {
  crumbs.replaceChildren();
  main.replaceChildren(node("p", { className: "fault", role: "alert", textContent: error.message }));
}

function who(person) {
  const out = node("button", { textContent: "Sign out" });
  out.onclick = async () => { await post("sign-out"); location.hash = ""; show(); };
  document.getElementById("who").replaceChildren(node("a", { href: "#account", textContent: person.name, title: "Your tokens" }), " · ", node("a", { href: "#api", textContent: "API" }), " ", out);
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

addEventListener("hashchange", show);
show();
