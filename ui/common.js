// What the parts of the page share: texts, elements made of text only, and calls of the HTTP API.
const LANGUAGE = navigator.language.split("-")[0] in TEXTS ? navigator.language.split("-")[0] : "en";

function say(key, values = {}) {
  return TEXTS[LANGUAGE][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

// make("p", {class: "from"}, "words", otherElement): attributes are set one by one, words become text nodes.
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== ""));
  return made;
}

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function api(path, options = {}) {
  const given = "json" in options
    ? { ...options, body: JSON.stringify(options.json), headers: { "Content-Type": "application/json" } }
    : options;
  const reply = await fetch(url(path), { credentials: "same-origin", ...given });
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}));
    throw new Refused(reply.status, problem.detail || problem.title || reply.statusText);
  }
  if (reply.status === 204) return null;
  return reply.headers.get("Content-Type").startsWith("application/json") ? reply.json() : reply;
}

// The first so many of a list, of which the API gives 500 at once.
async function first(path, query, most) {
  const items = [];
  let total = Infinity;
  while (items.length < Math.min(most, total)) {
    const limit = Math.min(most - items.length, 500);
    const found = await api(`${path}?${new URLSearchParams({ ...query, limit, offset: items.length })}`);
    items.push(...found.items);
    total = found.items.length ? found.total : items.length;
  }
  return { items, total };
}

function url(path) {
  return new URL(`api/v1${path}`, document.baseURI);
}

// Save what the API sends, under the name that it gives.
async function save(path) {
  const reply = await api(path);
  const name = /filename="([^"]+)"/.exec(reply.headers.get("Content-Disposition") ?? "");
  const link = make("a", { href: URL.createObjectURL(await reply.blob()), download: name?.[1] ?? "" });
  link.click();
  URL.revokeObjectURL(link.href);
}

// What to tell a person about an error of `api`; `missing` is said where the thing itself is not there.
function why(error, missing) {
  if (!(error instanceof Refused)) return say("failed");
  if (error.status === 401) return say("sign_in");
  if (error.status === 403 || error.status === 404) return missing;
  return error.message || say("failed");
}

function announce(words) {
  const region = document.querySelector("#pin-status");
  if (!region) return;
  region.textContent = "";
  window.setTimeout(() => { region.textContent = words; }, 30);
}

// What was done, or was not, where nothing else on the page shows it: seen for a while, and announced.
function tell(words) {
  announce(words);
  document.querySelector("#pin-toast")?.remove();
  const toast = make("p", { id: "pin-toast", "aria-hidden": "true" }, words);
  document.body.append(toast);
  window.setTimeout(() => toast.remove(), 5000);
}

function known(document_) {
  return [document_.publisher, document_.published, document_.page && say("page", { n: document_.page })]
    .filter(Boolean).join(" · ");
}

function address() {
  return new URLSearchParams(window.location.search).get("conv") || "";
}

function goTo(conversation, hash = "") {
  const url = new URL(window.location.href);
  if (conversation) url.searchParams.set("conv", conversation);
  else url.searchParams.delete("conv");
  url.hash = hash;
  window.history.replaceState(window.history.state, "", url);
}

async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    // Without https the clipboard is closed to scripts; a selection in a hidden field still works.
    const field = make("textarea", { class: "pin-unseen", "aria-hidden": "true" });
    field.value = words;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

// The first element that fits, as soon as the page has it.
function appeared(selector) {
  return new Promise((resolve) => {
    const look = () => {
      const found = document.querySelector(selector);
      if (found) resolve(found);
      else window.requestAnimationFrame(look);
    };
    look();
  });
}
