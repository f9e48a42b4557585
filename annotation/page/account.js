// One's own tokens, for programs that use the API, and one's password.
import { node } from "./dom.js";
import { ask, get, post } from "./api.js";
import { button, fault, section, table, when } from "./parts.js";

export async function account(main, crumbs, person) {
  const wrong = fault(), secret = node("output", { className: "secret" }), list = node("div");
  const show = async () => {
    const rows = (await get("tokens")).map((one) => [one.name, when(one.created),
      button("Remove", wrong, async () => { await ask("DELETE", `tokens/${one.id}`); await show(); }, { ariaLabel: `Remove ${one.name}` })]);
    list.replaceChildren(table(["Token for", "Made", ""], rows, "no tokens"));
  };
  const name = node("input", { maxLength: 80, placeholder: "what it is for", ariaLabel: "What the token is for" });
  const make = button("Make a token", wrong, async () => {
    if (!name.value.trim()) throw new Error("say what it is for");
    secret.textContent = `${(await post("tokens", { name: name.value.trim() })).secret}  (it is shown this once)`;
    name.value = "";
    await show();
  });
  await show();
  crumbs.replaceChildren(node("a", { href: "#projects", textContent: "Projects" }), ` › ${person.name}`);
  main.replaceChildren(node("h1", { textContent: person.name }), section("Tokens", node("p", { className: "hint", textContent: "A program that sends “Authorization: Bearer” and a token may do what you may. What there is to ask for stands at /openapi.json." }),
    list, node("p", { className: "bar" }, name, make), secret, wrong), password());
}

function password() {
  const field = (text, autocomplete, more) => node("input", { type: "password", autocomplete, ariaLabel: text, placeholder: text, maxLength: 200, required: true, ...more });
  const before = field("Old password", "current-password"), after = field("New password", "new-password", { minLength: 10 });
  const wrong = fault(), done = node("output", { className: "hint" });
  const form = node("form", { className: "bar" }, before, after, node("button", { textContent: "Change the password" }));
  form.onsubmit = async (event) => {
    event.preventDefault();
    wrong.textContent = done.textContent = "";
    try {
      await post("password", { old: before.value, new: after.value });
      form.reset();
      done.textContent = "It is changed, and your other browsers are signed out.";
    } catch (error) { wrong.textContent = error.message; }
  };
  return section("Password", form, done, wrong);
}
