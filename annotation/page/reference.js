// The API's page: what /openapi.json describes, to be read by people.
import { node } from "./dom.js";

export async function reference(main, crumbs) {
  const found = await (await fetch("openapi.json")).json();
  crumbs.replaceChildren(node("a", { href: "#", textContent: "Projects" }), " › API");
  const groups = new Map();
  for (const [path, methods] of Object.entries(found.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const group = one.tags?.[0] ?? "more";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operation(path, method, one, found.components?.schemas ?? {}));
    }
  }
  main.replaceChildren(
    node("h1", { textContent: "The API" }),
    node("p", {}, "Everything that these pages do, programs can do too. Make a token on ", node("a", { href: "#account", textContent: "your page" }), ", and send it with every request:"),
    node("pre", { textContent: `curl -H "Authorization: Bearer TOKEN" ${location.origin}/api/projects` }),
    node("p", {}, "For programs that make clients from it, all of it stands in ", node("a", { href: "openapi.json", textContent: "openapi.json" }), "."),
    ...[...groups].flatMap(([name, operations]) => [node("h2", { textContent: name[0].toUpperCase() + name.slice(1) }), ...operations]));
}

function operation(path, method, one, schemas) {
  const rows = [
    ...(one.parameters ?? []).filter((given) => given.in === "query").map((given) => row(given.name, given.required, kindOf(given.schema), given.description ?? "")),
    ...fields(one.requestBody?.content?.["application/json"]?.schema, schemas).map(([name, required, schema]) => row(name, required, kindOf(schema), schema.description ?? "")),
  ];
  const table = node("table", {}, node("thead", {}, node("tr", {}, ...["Given", "", "What it is", ""].map((text) => node("th", { textContent: text })))), node("tbody", {}, ...rows));
  return node("details", { className: "operation" },
    node("summary", {}, node("code", { textContent: `${method.toUpperCase()} ${path}` }), ` ${(one.description ?? one.summary ?? "").split(/\.\s/)[0].replace(/\.$/, "")}`),
    ...(/\.\s/.test(one.description ?? "") ? [node("p", { textContent: one.description })] : []), ...(rows.length ? [table] : []));
}

function row(name, required, kind, told) {
  return node("tr", {}, node("td", {}, node("code", { textContent: name })), node("td", { textContent: required ? "needed" : "" }), node("td", { textContent: kind }), node("td", { textContent: told }));
}

// [name, whether it is needed, schema] of what a body holds.
function fields(schema, schemas) {
  const found = schema && resolved(schema, schemas);
  return Object.entries(found?.properties ?? {}).map(([name, one]) => [name, (found.required ?? []).includes(name), resolved(one, schemas)]);
}

function resolved(schema, schemas) { return schema.$ref ? { ...schemas[schema.$ref.split("/").pop()], ...schema } : schema; }

function kindOf(schema = {}) {
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.map(kindOf).filter((one) => one !== "null").join(" or ");
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return `list of ${kindOf(schema.items)}`;
  const [least, most] = [schema.minimum ?? schema.exclusiveMinimum, schema.maximum ?? schema.exclusiveMaximum];
  const range = least !== undefined && most !== undefined ? ` ${least} to ${most}` : "";
  return `${schema.type ?? "anything"}${range}${schema.default !== undefined && schema.default !== null ? `, else ${JSON.stringify(schema.default)}` : ""}`;
}
