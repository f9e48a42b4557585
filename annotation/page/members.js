// Who is in a project, who is invited, and how far each is.
import { node } from "./dom.js";
import { ask, get, post } from "./api.js";
import { button, fault, section, select, table, when } from "./parts.js";

const ROLES = ["annotator", "expert", "manager"];
const BY_HAND = 25; // minutes of work per minute of video, in the thesis

export async function people(project, may, again) {
  const wrong = fault(), path = `projects/${project.id}`;
  const found = await get(`${path}/members`);
  const role = (one) => {
    if (!may("manager")) return one.role;
    const choice = select(ROLES.map((name) => [name, name]), { value: one.role, ariaLabel: `Role of ${one.name}` });
    choice.value = one.role;
    choice.onchange = async () => {
      wrong.textContent = "";
      try { await ask("PUT", `${path}/members/${one.id}`, { role: choice.value }); } catch (error) { wrong.textContent = error.message; choice.value = one.role; }
    };
    return choice;
  };
  const remove = (one) => button("Remove", wrong, async () => {
    if (!confirm(`Take ${one.name} out of this project? Their labellings stay.`)) return;
    await ask("DELETE", `${path}/members/${one.id}`);
    await again();
  }, { ariaLabel: `Remove ${one.name}` });
  const rows = found.map((one) => [one.name, role(one), ...(may("manager") ? [remove(one)] : [])]);
  const out = node("div", {}, section("Members", table(["Name", "Role", ...(may("manager") ? [""] : [])], rows, "nobody but administrators"), wrong));
  if (may("manager")) out.append(await invitations(path));
  if (may("expert")) out.append(await progress(path));
  return out;
}

async function invitations(path) {
  const wrong = fault(), link = node("output", { className: "secret" }), list = node("div");
  const show = async () => {
    const open = await get(`${path}/invitations`);
    const withdraw = (one) => button("Withdraw", wrong, async () => { await ask("DELETE", `${path}/invitations/${one.id}`); await show(); });
    list.replaceChildren(...(open.length ? [table(["Open for", "Until", ""], open.map((one) => [`a new ${one.role}`, when(one.expires), withdraw(one)]))] : []));
  };
  const role = select(ROLES.map((name) => [name, name]), { ariaLabel: "Role" });
  const make = button("Make an invitation", wrong, async () => {
    const { secret } = await post(`${path}/invitations`, { role: role.value });
    link.textContent = `${location.origin}${location.pathname}#invitation=${secret}  (for one person, once, within a week; it is shown this once)`;
    await show();
  });
  await show();
  return section("Invitations", node("p", { className: "bar" }, node("label", {}, "Invite somebody as ", role), make), link, list, wrong);
}

async function progress(path) {
  const found = await get(`${path}/progress`);
  const rows = found.map((one) => [one.name, Object.entries(one.states).map(([state, count]) => `${count} ${state}`).join(", ") || "none",
    (one.work_seconds / 3600).toFixed(1), one.video_minutes.toFixed(1), one.minutes_per_minute == null ? "–" : one.minutes_per_minute.toFixed(1)]);
  return section("Progress", table(["Name", "Labellings", "Hours of work", "Minutes of video handed in", "Minutes of work per minute"], rows, "nobody has begun"),
    node("p", { className: "hint", textContent: `By hand a minute of video took ${BY_HAND} minutes in the thesis that this reproduces.` }));
}
