// The list of conversations, what can be done with an answer, and which part of the page is shown.
document.documentElement.lang = LANGUAGE;
const side = element.querySelector("#pin-nav");
const PAGE = 50;
let asked = 0; // counts look-ups of the list: an earlier one that comes later is dropped
let most = PAGE;

const search = make("input", {
  type: "search", placeholder: say("find_conversation"), "aria-label": say("find_conversation"), autocomplete: "off",
});
const list = make("ul", { class: "list" });
const user = make("div", { class: "user" });
const views = ["chat", "documents"].map((view) => make("button", {
  type: "button", class: `view icon-${view}`, onclick: () => look(view),
}, say(view)));

side.append(
  make("p", { class: "brand" }, say("title")),
  make("div", { class: "views" }, ...views),
  make("button", { type: "button", class: "new", onclick: () => pick("") }, say("new")),
  make("div", { class: "find" }, search),
  make("nav", { "aria-label": say("conversations") }, list),
  user,
);

let typing = 0;
search.addEventListener("input", () => {
  window.clearTimeout(typing);
  typing = window.setTimeout(() => refresh(true), 200);
});

// ---- which part is shown

function look(view) {
  if (document.body.dataset.view !== view) document.dispatchEvent(new CustomEvent("pin:close"));
  document.body.dataset.view = view;
  views.forEach((button, at) => {
    if (["chat", "documents"][at] === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  });
  const url = new URL(window.location.href);
  if (view === "documents") url.searchParams.set("view", "documents");
  else url.searchParams.delete("view");
  window.history.replaceState(window.history.state, "", url);
  drawer(false);
  if (view === "documents") document.dispatchEvent(new CustomEvent("pin:documents"));
}

// The conversations on a phone: while they are open, what lies beside them only closes them.
function drawer(open) {
  if (document.body.classList.contains("pin-drawer") === open) return;
  document.body.classList.toggle("pin-drawer", open);
  document.querySelector("#pin-main").inert = open;
  document.querySelector("#pin-menu")?.setAttribute("aria-expanded", String(open));
  if (open) side.querySelector("button").focus();
}

function pick(conversation) {
  document.dispatchEvent(new CustomEvent("pin:close"));
  look("chat");
  trigger("pick", { conversation });
}

// ---- the list

// What is being typed or confirmed in the list stays there, unless it is that which is done.
async function refresh(done = false) {
  if (!done && list.querySelector("form, .sure")) return;
  asked += 1;
  const mine = asked;
  const text = search.value.trim();
  try {
    const found = await first("/conversations", { text, origin: "page" }, most);
    if (mine !== asked || (!done && list.querySelector("form, .sure"))) return;
    const here = found.items.find((conversation) => conversation.id === props.value);
    heading.hidden = !here;
    heading.textContent = here ? here.title || say("untitled") : "";
    const items = found.items.map(item);
    if (found.total > found.items.length) {
      items.push(make("li", {}, make("button", {
        type: "button", class: "more", onclick: () => { most += PAGE; refresh(); },
      }, say("show_more"))));
    }
    if (!items.length) items.push(make("li", { class: "none" }, say(text ? "none_found" : "no_conversations")));
    list.replaceChildren(...items);
  } catch (error) {
    if (mine === asked) list.replaceChildren(make("li", { class: "none" }, why(error, say("failed"))));
  }
}

function item(conversation) {
  const title = conversation.title || say("untitled");
  const open = conversation.id === props.value;
  const row = make("li", { class: open ? "open" : "" });
  row.append(
    make("button", {
      type: "button", class: "pick", title, "aria-current": open ? "true" : null, onclick: () => pick(conversation.id),
    }, title),
    make("button", {
      type: "button", class: "icon rename", title: say("rename"), "aria-label": say("rename_of", { title }),
      onclick: () => rename(row, conversation),
    }),
    make("button", {
      type: "button", class: "icon delete", title: say("delete"), "aria-label": say("delete_of", { title }),
      onclick: () => remove(row, conversation),
    }),
  );
  return row;
}

function rename(row, conversation) {
  const field = make("input", { type: "text", maxlength: "200", "aria-label": say("rename_of", conversation) });
  field.value = conversation.title;
  const form = make("form", { class: "rename-form" }, field, make("button", { type: "submit" }, say("save")));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    refresh(true);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (field.value.trim()) {
      await change(`/conversations/${conversation.id}`, { method: "PATCH", json: { title: field.value.trim() } },
        "renamed");
    }
    refresh(true);
  });
  row.replaceChildren(form);
  field.focus();
  field.select();
}

function remove(row, conversation) {
  const sure = make("button", {
    type: "button", class: "danger", onclick: async () => {
      const done = await change(`/conversations/${conversation.id}`, { method: "DELETE" }, "deleted");
      if (done && conversation.id === props.value) pick("");
      await refresh(true);
      search.focus();
    },
  }, say("delete"));
  const back = make("button", { type: "button", onclick: () => refresh(true) }, say("cancel"));
  row.replaceChildren(make("div", { class: "sure", role: "group" }, make("p", {}, say("delete_sure")), sure, back));
  back.focus();
}

async function change(path, options, done) {
  try {
    await api(path, options);
    tell(say(done));
    return true;
  } catch (error) {
    tell(why(error, say("failed")));
    return false;
  }
}

// ---- what can be done with an answer, and with the question above it

const actions = {
  copy: async (id, button) => {
    await copy(await (await api(`/answers/${id}/text?language=${LANGUAGE}`)).text());
    told(button, say("copied"));
  },
  csv: async (id) => save(`/answers/${id}/table.csv?language=${LANGUAGE}`),
  retry: async (id) => trigger("again", { answer: id }),
  alone: async (id) => trigger("alone", { answer: id }),
  choice: async (id, button) => {
    const choice = Number(/(?:^| )choice-(\d+)(?: |$)/.exec(button.className)[1]);
    trigger("choose", { answer: id, choice });
  },
  unfold: async (id, button) => {
    const [next, ...later] = button.parentElement.querySelectorAll("tbody.later");
    next.classList.remove("later");
    button.querySelector(".left").textContent = later.reduce((sum, body) => sum + body.rows.length, 0);
    next.querySelector("button").focus({ preventScroll: true });
    if (!later.length) button.remove();
  },
  good: (id, button) => think(id, "up", button),
  bad: (id, button) => think(id, "down", button),
};

document.pinChat?.abort();
document.pinChat = new AbortController();
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("#chat button:is(.act, .other)");
  const id = /(?:^| )act-([0-9A-Za-z]+)(?: |$)/.exec(button?.className ?? "")?.[1];
  const name = button && Object.keys(actions).find((known_) => button.classList.contains(known_));
  if (!id || !name) return;
  try {
    await actions[name](id, button);
  } catch (error) {
    told(button, why(error, say("gone_answer")));
  }
}, { capture: true, signal: document.pinChat.signal });

async function think(id, value, button) {
  await api(`/answers/${id}/feedback`, { method: "POST", json: { value } });
  for (const other of button.parentElement.querySelectorAll(".good, .bad")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  told(button, say("thanks"));
}

// A word beside the buttons for those who see, and an announcement for those who listen.
function told(button, words) {
  announce(words);
  button.parentElement.querySelector(".told")?.remove();
  const said = make("span", { class: "told", "aria-hidden": "true" }, words);
  button.parentElement.append(said);
  window.setTimeout(() => said.remove(), 4000);
}

// ---- the bar above the chat

const bar = await appeared("#pin-bar");
const heading = make("h1", { class: "name", hidden: true });
const takeAway = make("details", { class: "export", hidden: true },
  make("summary", { title: say("exported") }, say("export")),
  make("div", {}, ...["markdown", "html"].map((format) => make("button", {
    type: "button", class: format, onclick: async () => {
      takeAway.open = false;
      try {
        await save(`/conversations/${props.value}/export?format=${format}&language=${LANGUAGE}`);
      } catch (error) {
        tell(why(error, say("failed")));
      }
    },
  }, say(`export_${format}`)))),
);
bar.replaceChildren(
  make("button", {
    type: "button", id: "pin-menu", class: "icon menu", "aria-label": say("menu"), "aria-expanded": "false",
    "aria-controls": "pin-nav", onclick: () => drawer(!document.body.classList.contains("pin-drawer")),
  }),
  heading, takeAway,
);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (takeAway.open) {
    event.preventDefault();
    takeAway.open = false;
    takeAway.querySelector("summary").focus();
  } else if (document.body.classList.contains("pin-drawer")) {
    event.preventDefault();
    drawer(false);
    document.querySelector("#pin-menu").focus();
  }
}, { signal: document.pinChat.signal });
document.addEventListener("click", (event) => {
  if (!takeAway.contains(event.target)) takeAway.open = false;
  if (!event.target.closest("#pin-side, #pin-menu")) drawer(false);
}, { signal: document.pinChat.signal });

// Who is signed in, where there are accounts; where that cannot be asked now, nothing is shown.
async function who() {
  const session = await api("/session").catch(() => null);
  if (!session?.accounts) return;
  const leave = make("button", {
    type: "button", onclick: async () => {
      await api("/session", { method: "DELETE" });
      window.location.assign(new URL("login", document.baseURI));
    },
  }, say("sign_out"));
  user.replaceChildren(make("span", {}, session.user), leave);
}

// A source that was opened while the first answer of a conversation was written stays in the address.
function opened(conversation) {
  if (address() !== conversation) goTo(conversation, address() ? "" : window.location.hash.slice(1));
  takeAway.hidden = !conversation;
  refresh();
}
// Until the conversation of the address has been loaded, the value is that of no conversation: not what to open.
watch("value", () => { if (document.pinLoaded) opened(props.value); });

// A new question goes to the top of the chat, so that its answer is read from its beginning, and stays there while the
// answer grows, unless the reader has taken over.
const chat = await appeared("#chat");
let rows = 0;
let questions = 0;
let following = false;
let waiting = null; // the question that was typed and asked last, until its answer or an error is there
for (const hand of ["wheel", "touchmove", "pointerdown", "keydown"]) {
  chat.addEventListener(hand, () => { following = false; }, { passive: true, signal: document.pinChat.signal });
}

function follow() {
  const last = [...chat.querySelectorAll(".user-row")].at(-1);
  const scroller = last?.closest(".panel-wrap");
  if (scroller) scroller.scrollTop += last.getBoundingClientRect().top - scroller.getBoundingClientRect().top - 8;
}

const talk = new MutationObserver(() => {
  const asked_ = chat.querySelectorAll(".user-row").length;
  const there = asked_ + chat.querySelectorAll(".pin-answer").length;
  if (asked_ !== questions) following = true;
  questions = asked_;
  if (following && (there !== rows || chat.querySelector(".pin-pending"))) follow();
  answered();
  if (there === rows) return;
  rows = there;
  refresh();
});
talk.observe(chat, { childList: true, subtree: true });
document.pinChat.signal.addEventListener("abort", () => talk.disconnect());

look(new URLSearchParams(window.location.search).get("view") === "documents" ? "documents" : "chat");
refresh();
who();

// A question that is asked before the conversation of the address is there would begin another one.
const form = await appeared("#pin-ask");
const box = await appeared("#pin-question textarea");
form.inert = Boolean(address()) && !document.pinLoaded;
document.addEventListener("pin:loaded", ({ detail }) => {
  form.inert = false;
  opened(detail);
  comeBack();
}, { signal: document.pinChat.signal });

// ---- what was typed or asked when the page goes, which gradio makes it do once a server that was away is back

const UNSENT = "pin:unsent"; // kept from one page to the next, and no longer
let again = ""; // the question that was asked for the reader once: not twice, since it may be what the server dies of

function sent() {
  const question = box.value.trim();
  if (question) waiting = { question, answers: chat.querySelectorAll(".pin-answer").length, taken: false };
}
form.addEventListener("keydown", (event) => {
  if (event.target === box && event.key === "Enter" && !event.shiftKey) sent();
}, { capture: true, signal: document.pinChat.signal });
form.addEventListener("click", (event) => {
  if (event.target.closest("#pin-send")) sent();
}, { capture: true, signal: document.pinChat.signal });

function answered() {
  if (!waiting) return;
  const pending = Boolean(chat.querySelector(".pin-pending"));
  if ((waiting.taken && !pending) || chat.querySelectorAll(".pin-answer").length > waiting.answers) waiting = null;
  else waiting.taken = pending;
}

window.addEventListener("pagehide", () => {
  const question = waiting?.question ?? box.value;
  const ask = Boolean(waiting) && question !== again;
  if (question) sessionStorage.setItem(UNSENT, JSON.stringify({ conversation: address(), question, ask }));
}, { signal: document.pinChat.signal });

async function comeBack() {
  const kept = JSON.parse(sessionStorage.getItem(UNSENT));
  sessionStorage.removeItem(UNSENT);
  if (kept?.conversation !== address() || box.value) return;
  if (kept.ask && kept.conversation) {
    const { answers } = await api(`/conversations/${kept.conversation}`).catch(() => ({ answers: [] }));
    if (answers.at(-1)?.question === kept.question) return; // answered while the page was away
  }
  box.value = kept.question;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  if (!kept.ask) return;
  again = kept.question;
  (await appeared("#pin-send")).click();
}

if (document.pinLoaded) opened(props.value);
if (document.pinLoaded || !address()) comeBack();
