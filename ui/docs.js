// Shows openapi.json as a page. Every word of it becomes a text node; nothing is loaded from anywhere else.
"use strict";

function add(parent, tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

// Words between backticks are code.
function told(element, text) {
  element.replaceChildren(...text.split("`").map((part, at) => {
    if (at % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  }));
}

function nameOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(nameOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.type === "array") return `list of ${nameOf(schema.items) || "anything"}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type || "anything";
}

function resolved(api, schema) {
  return schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function exampleOf(api, schema, depth = 0) {
  const whole = resolved(api, schema) || {};
  if (whole.examples) return whole.examples[0];
  if ("default" in whole) return whole.default;
  if (whole.anyOf) return exampleOf(api, whole.anyOf[0], depth);
  if (whole.type !== "object" || depth > 3) return whole.type === "string" ? "…" : null;
  const required = Object.entries(whole.properties || {}).filter(([name]) => (whole.required || []).includes(name));
  return Object.fromEntries(required.map(([name, part]) => [name, exampleOf(api, part, depth + 1)]));
}

function fields(parent, rows) {
  if (!rows.length) return;
  const list = add(parent, "dl");
  for (const [name, text] of rows) {
    add(list, "dt", name);
    add(list, "dd", text, "soft");
  }
}

function route(api, section, path, method, operation) {
  const box = add(section, "section", undefined, "route");
  add(box, "h3", `${method.toUpperCase()} ${path}`);
  told(add(box, "p"), operation.description || operation.summary || "");
  fields(box, (operation.parameters || []).map((one) => [
    one.name, [nameOf(one.schema), one.required ? "required" : "", one.description || ""].filter(Boolean).join(" · "),
  ]));
  for (const [type, body] of Object.entries(operation.requestBody?.content || {})) {
    const whole = resolved(api, body.schema) || {};
    fields(box, Object.entries(whole.properties || {}).map(([name, part]) => [
      name, [nameOf(part), (whole.required || []).includes(name) ? "required" : "", part.description || ""]
        .filter(Boolean).join(" · "),
    ]));
    if (type === "application/json") {
      add(box, "pre", JSON.stringify(exampleOf(api, body.schema), null, 2)).tabIndex = 0;
    }
  }
  const good = Object.entries(operation.responses || {}).find(([status]) => status.startsWith("2"));
  if (good) {
    const kinds = Object.entries(good[1].content || {}).map(([type, body]) => `${type} ${nameOf(body.schema)}`.trim());
    add(box, "p", `${good[0]}: ${kinds.join(", ") || "no content"}`, "soft");
  }
}

async function show() {
  const about = document.getElementById("about");
  const response = await fetch("/api/v1/openapi.json");
  if (!response.ok) {
    about.textContent = "The description could not be read. Sign in, then open this page again.";
    return;
  }
  const api = await response.json();
  told(about, `${api.info.title} ${api.info.version}. ${api.info.description}`);
  const main = document.getElementById("main");
  const sections = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (!sections.has(tag)) {
        sections.set(tag, add(main, "section"));
        add(sections.get(tag), "h2", tag);
      }
      route(api, sections.get(tag), path, method, operation);
    }
  }
}

show();
