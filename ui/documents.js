// The page of documents: add files one after the other, see what became of each, find, read, share and remove.
const page = element.querySelector("#pin-library");
const PAGE = 50;
let asked = 0;
let most = PAGE;
let mayEdit = false;
let mayShare = []; // the groups that documents may be shared with

const chosen = make("input", { type: "file", multiple: true, hidden: true, id: "pin-files" });
const choose = make("button", { type: "button", class: "choose", onclick: () => chosen.click() }, say("choose"));
const bar = make("progress", { max: "1", value: "0", "aria-label": say("upload") });
const going = make("p", { class: "going" });
const progress = make("div", { class: "progress", hidden: true }, going, bar);
const results = make("ul", { class: "results", "aria-label": say("results") });
const groups = make("select", {}); // whom what is added is shared with
const share = make("label", { class: "share", hidden: true }, say("share"), groups);
const drop = make("section", { class: "drop", "aria-label": say("upload"), hidden: true },
  make("p", { class: "hint" }, say("upload_hint")), make("p", { class: "kinds" }, say("upload_kinds")), choose, share, chosen);
const filter = make("input", {
  type: "search", placeholder: say("filter"), "aria-label": say("filter_documents"), autocomplete: "off",
});
const count = make("p", { class: "count" });
const table = make("tbody");
const further = make("button", {
  type: "button", class: "more", hidden: true, onclick: () => { most += PAGE; refresh(); },
}, say("show_more"));

page.append(
  make("h1", {}, say("documents")), drop, progress, results,
  make("div", { class: "find" }, filter, count),
  make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("documents") },
    make("table", {}, make("thead", {}, make("tr", {},
      ...["document", "publisher", "published"].map((key) => make("th", { scope: "col" }, say(key))),
      make("td", {}))), table)),
  further,
);

// ---- the list

let typing = 0;
filter.addEventListener("input", () => {
  window.clearTimeout(typing);
  typing = window.setTimeout(() => { most = PAGE; refresh(true); }, 200);
});
document.pinDocuments?.abort();
document.pinDocuments = new AbortController();
document.addEventListener("pin:documents", () => refresh(), { signal: document.pinDocuments.signal });

// A question whether to remove a document stays there until it is answered.
async function refresh(done = false) {
  if (!done && table.querySelector(".sure")) return;
  asked += 1;
  const mine = asked;
  const text = filter.value.trim();
  try {
    const session = await api("/session");
    mayEdit = session.role === "editor" || session.role === "admin";
    drop.hidden = !mayEdit;
    if (String(mayShare) !== String(session.may_share)) {
      mayShare = session.may_share;
      groups.replaceChildren(...["", ...mayShare].map((name) => make("option", { value: name }, name || say("everyone"))));
    }
    share.hidden = !mayShare.length;
    const found = await first("/documents", { text }, most);
    if (mine !== asked || (!done && table.querySelector(".sure"))) return;
    count.textContent = say("shown", { n: found.items.length, total: found.total });
    further.hidden = found.total <= found.items.length;
    table.replaceChildren(...found.items.map(line));
    if (!found.items.length) table.append(empty(say(text ? "none_found" : "no_list")));
  } catch (error) {
    if (mine === asked) table.replaceChildren(empty(why(error, say("may_not"))));
  }
}

function empty(words) {
  return make("tr", {}, make("td", { colspan: "4", class: "none" }, words));
}

function line(found) {
  const title = found.title || found.source;
  const row = make("tr", { "data-document": found.id });
  const view = make("button", {
    type: "button", class: "title", "aria-label": say("view_of", { title }),
    onclick: () => document.dispatchEvent(new CustomEvent("pin:document", { detail: { id: found.id, opener: view } })),
  }, title);
  const names = [found.source, ...found.also].map((name) => make("p", { class: "file" }, name));
  names.unshift(make("p", { class: "file brief" }, known(found))); // where there is no room for columns
  if (found.groups.length) names.push(make("p", { class: "file" }, say("shared_with", { names: found.groups.join(", ") })));
  const remove_ = make("button", {
    type: "button", class: "remove", "aria-label": say("remove_of", { title }), onclick: () => ask(row, found, title),
  }, say("remove"));
  const who = make("button", {
    type: "button", class: "who", "aria-label": say("share_of", { title }), onclick: () => sharing(row, found, title),
  }, say("share_change"));
  row.append(
    make("th", { scope: "row" }, view, ...names), make("td", {}, found.publisher ?? ""),
    make("td", { class: "date" }, found.published ?? ""),
    make("td", { class: "do" }, mayShare.length ? who : "", mayEdit ? remove_ : ""),
  );
  return row;
}

// Everyone, or some groups: a box for each, of which one is always ticked.
function sharing(row, found, title) {
  const box = (value, words) => {
    const tick = make("input", { type: "checkbox", value });
    tick.checked = value ? found.groups.includes(value) : !found.groups.length;
    return [tick, make("label", {}, tick, words)];
  };
  const [everyone, all] = box("", say("everyone"));
  const named = [...new Set([...mayShare, ...found.groups])].sort().map((name) => box(name, name));
  const given = () => named.filter(([tick]) => tick.checked).map(([tick]) => tick.value);
  const form = make("form", { class: "sharing" },
    make("fieldset", {}, make("legend", {}, say("share_of", { title })), all, ...named.map(([, label]) => label)),
    make("button", { type: "submit" }, say("save")),
    make("button", { type: "button", onclick: () => shared(found.id) }, say("cancel")));
  form.addEventListener("change", (event) => {
    if (event.target === everyone) for (const [tick] of named) tick.checked = false;
    everyone.checked = !given().length;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const now = await api(`/documents/${found.id}/groups`, { method: "PUT", json: { groups: given() } });
      tell(say("shared_with", { names: now.groups.join(", ") || say("everyone") }));
    } catch (error) {
      tell(why(error, say("may_not")));
    }
    shared(found.id);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    shared(found.id);
  });
  row.replaceChildren(make("td", { colspan: "4", class: "sure" }, form));
  everyone.focus();
}

// The line as it is now, with the hand where it was.
async function shared(id) {
  await refresh(true);
  (table.querySelector(`[data-document="${id}"] .who`) ?? filter).focus();
}

function ask(row, found, title) {
  const back = make("button", { type: "button", onclick: () => refresh(true) }, say("cancel"));
  const sure = make("button", { type: "button", class: "danger", onclick: () => remove(found.id) }, say("remove"));
  row.replaceChildren(make("td", { colspan: "4", class: "sure" }, make("p", {}, say("remove_sure", { title })), sure,
    back));
  back.focus();
}

async function remove(id) {
  try {
    await api(`/documents/${id}`, { method: "DELETE" });
    tell(say("removed"));
  } catch (error) {
    tell(why(error, say("may_not")));
  }
  await refresh(true);
  filter.focus();
}

// ---- adding

chosen.addEventListener("change", () => {
  upload([...chosen.files]);
  chosen.value = "";
});
for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  upload([...event.dataTransfer.files]);
});

async function upload(files) {
  if (!files.length) return;
  choose.disabled = true;
  progress.hidden = false;
  results.replaceChildren();
  for (const [at, file] of files.entries()) {
    going.textContent = say("uploading", { n: at + 1, total: files.length, name: file.name });
    bar.value = at / files.length;
    results.append(result(file.name, await send(file, (part) => { bar.value = (at + part) / files.length; })));
  }
  going.textContent = say("upload_done", { n: files.length, total: files.length });
  bar.value = 1;
  choose.disabled = false;
  announce(going.textContent);
  await refresh();
}

// One file; what became of it. XMLHttpRequest, since fetch does not tell how much has been sent.
function send(file, progressed) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    if (groups.value) form.append("group", groups.value);
    request.upload.addEventListener("progress", (event) => progressed(event.loaded / (event.total || 1)));
    request.addEventListener("load", () => {
      let reply = {};
      try {
        reply = JSON.parse(request.responseText);
      } catch {
        reply = { detail: say("failed") };
      }
      if (request.status < 300) resolve(Array.isArray(reply) ? reply[0] : reply);
      else resolve({ outcome: "refused", reason: request.status === 403 ? say("may_not") : reply.detail || reply.title });
    });
    request.addEventListener("error", () => resolve({ outcome: "refused", reason: say("failed") }));
    request.open("POST", url("/documents"));
    request.send(form);
  });
}

function result(name, added) {
  return make("li", { class: added.outcome },
    make("span", { class: "outcome" }, say(added.outcome)), make("span", { class: "file" }, name),
    added.reason ? make("span", { class: "reason" }, added.reason) : null);
}

refresh();
