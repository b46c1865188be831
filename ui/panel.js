// The source panel: one citation, shown in its document. Built with text nodes only, so that nothing in a document runs.
const NARROW = window.matchMedia("(max-width: 60rem)");
const panel = element.querySelector("#pin-panel");
const part = (name) => panel.querySelector(`.${name}`);
const body = part("body");
const AROUND = 30_000; // characters of a long document that are shown on each side of a passage
let shown = null; // {answer, number} of the open citation, or {document} of an open document
let opener = null;
let turn = 0; // counts openings: what a slower, earlier one brings is dropped

document.pinPanel?.abort(); // the component was mounted again: only the newest listens
document.pinPanel = new AbortController();
const listen = (target, type, handler, capture = false) =>
  target.addEventListener(type, handler, { capture, signal: document.pinPanel.signal });

listen(document, "click", (event) => {
  const button = event.target.closest?.("button");
  const cited = /(?:^| )cite-([0-9A-Za-z]+)-(\d+)(?: |$)/.exec(button?.className ?? "");
  const near = /(?:^| )near-([0-9A-Za-z]+)-(\d+)-(\d+)(?: |$)/.exec(button?.className ?? "");
  if (!cited && !near) return;
  event.preventDefault();
  event.stopPropagation();
  opener = button;
  if (cited) openCitation(cited[1], Number(cited[2]));
  else openDocument(near[1], { start: Number(near[2]), end: Number(near[3]) });
}, true);

listen(document, "keydown", (event) => {
  if (event.key !== "Escape" || panel.hidden || event.defaultPrevented) return;
  event.preventDefault();
  close();
});
listen(window, "hashchange", openAddress);
listen(document, "pin:document", (event) => {
  opener = event.detail.opener;
  openDocument(event.detail.id);
});
listen(document, "pin:close", () => close(false));
listen(NARROW, "change", cover);

part("close").addEventListener("click", () => close());
part("previous").addEventListener("click", () => step(-1));
part("next").addEventListener("click", () => step(1));
part("link").addEventListener("click", async () => {
  await copy(window.location.href);
  tell(say("link_copied"));
  part("link").classList.add("done");
});
part("whole").addEventListener("click", () => openDocument(shown.document));
part("wrong").addEventListener("click", async () => {
  const { answer, number } = shown;
  try {
    await api(`/answers/${answer}/feedback`, { method: "POST", json: { value: "wrong_source", citation: number } });
    part("wrong").textContent = say("thanks");
    announce(say("thanks"));
  } catch (error) {
    tell(why(error, say("gone_answer")));
  }
});
for (const view of ["text", "page"]) part(`view-${view}`).addEventListener("click", () => look(view));

for (const key of ["close", "previous", "next", "link"]) {
  part(key).title = say(key);
  part(key).setAttribute("aria-label", say(key));
}
panel.setAttribute("aria-label", say("panel"));
part("whole").textContent = say("open_document");
part("view-text").textContent = say("view_text");
part("view-page").textContent = say("view_page");

// Chips are drawn again whenever the chat changes: the open one is marked again, and the raw text that the chat
// puts into the label of each message is taken out, since a screen reader would read its markup aloud.
const chat = await appeared("#chat");
const chips = new MutationObserver(mark);
chips.observe(chat, { childList: true, subtree: true });
document.pinPanel.signal.addEventListener("abort", () => chips.disconnect());
mark();
openAddress();

function mark() {
  for (const chip of chat.querySelectorAll("button.cite")) {
    const open = shown?.answer != null && chip.classList.contains(`cite-${shown.answer}-${shown.number}`);
    if (chip.getAttribute("aria-expanded") !== String(open)) chip.setAttribute("aria-expanded", String(open));
    if (!chip.hasAttribute("aria-controls")) chip.setAttribute("aria-controls", "pin-panel");
  }
  for (const message of chat.querySelectorAll("[data-testid][aria-label]")) message.removeAttribute("aria-label");
}

function openAddress() {
  const cited = /^#cite-([0-9A-Za-z]+)-(\d+)$/.exec(window.location.hash);
  if (cited && !(shown?.answer === cited[1] && shown.number === Number(cited[2]))) {
    openCitation(cited[1], Number(cited[2]));
  }
}

async function openCitation(answer, number) {
  const mine = begin({ answer, number, numbers: shown?.answer === answer ? shown.numbers : null });
  goTo(address(), `cite-${answer}-${number}`);
  try {
    const cited = await api(`/answers/${answer}/citations/${number}`);
    if (mine === turn) showCitation(cited);
  } catch (error) {
    if (mine === turn) fail(why(error, say("gone")));
  }
}

async function openDocument(id, near = null) {
  const mine = begin({ document: id });
  goTo(address());
  try {
    const about = await api(`/documents/${id}`);
    const range = near ? `?start=${Math.max(0, near.start - AROUND)}&end=${near.end + AROUND}` : `?end=${2 * AROUND}`;
    const blocks = await api(`/documents/${id}/blocks${range}`);
    if (mine !== turn) return;
    heading(about, about);
    draw(blocks, near && { ...near, name: "near" });
    announce(about.title || about.source);
  } catch (error) {
    if (mine === turn) fail(why(error, say("gone")));
  }
}

function begin(what) {
  shown = what;
  turn += 1;
  const wasHidden = panel.hidden;
  holding(opener, () => {
    panel.hidden = false;
    document.body.classList.add("pin-open");
  });
  panel.setAttribute("aria-busy", "true");
  for (const name of ["title", "about", "section", "count"]) part(name).textContent = "";
  body.replaceChildren(make("p", { class: "waiting" }, say("reading")));
  for (const name of ["views", "link", "whole", "wrong"]) part(name).hidden = true;
  part("steps").hidden = !what.numbers; // they stay while stepping: whoever presses one can press it again
  cover();
  mark();
  if (wasHidden || !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  return turn;
}

function fail(words) {
  panel.removeAttribute("aria-busy");
  part("title").textContent = say("source");
  if (shown.numbers) steps(shown.numbers.indexOf(shown.number), shown.numbers.length);
  body.replaceChildren(make("p", { class: "gone" }, words));
  announce(words);
}

function heading(about, place) {
  panel.removeAttribute("aria-busy");
  part("title").textContent = about.title || about.source;
  part("about").textContent = [known(place), about.title ? about.source : ""].filter(Boolean).join(" · ");
}

function showCitation(cited) {
  const { citation, numbers } = cited;
  shown = { answer: cited.answer, number: cited.number, document: citation.document, numbers };
  heading(cited.document, citation);
  part("section").textContent = cited.section.filter((one) => one !== cited.document.title).join(" › ");
  const at = numbers.indexOf(cited.number);
  part("count").textContent = say("source_of", { n: at + 1, total: numbers.length });
  steps(at, numbers.length);
  for (const name of ["link", "whole", "wrong"]) part(name).hidden = false;
  part("wrong").textContent = say("wrong_source");
  part("link").classList.remove("done");
  draw(cited.blocks, { start: citation.start, end: citation.end, quote: citation.quote, name: "cited" });
  if (cited.page_image) {
    const image = make("img", { alt: say("page_image", { n: citation.page }), src: cited.page_image });
    image.addEventListener("load", () => { if (!image.parentElement.hidden) reach(image); });
    body.append(make("figure", { hidden: true }, image));
    part("views").hidden = false;
    look("text");
  }
  const place = [citation.title || citation.source, cited.section.at(-1)].filter(Boolean).join(", ");
  announce(`${part("count").textContent}: ${place}`);
}

// A button that is disabled under the hand gives its focus to the other one, so that the keyboard is not lost.
function steps(at, total) {
  part("steps").hidden = total < 2;
  const focused = document.activeElement;
  part("previous").disabled = at === 0;
  part("next").disabled = at === total - 1;
  if (focused === part("previous") && at === 0) part("next").focus({ preventScroll: true });
  if (focused === part("next") && at === total - 1) part("previous").focus({ preventScroll: true });
}

function step(by) {
  const number = shown.numbers[shown.numbers.indexOf(shown.number) + by];
  if (number != null) openCitation(shown.answer, number);
}

function look(view) {
  for (const child of body.children) child.hidden = (child.tagName === "FIGURE") !== (view === "page");
  for (const name of ["text", "page"]) part(`view-${name}`).setAttribute("aria-pressed", String(name === view));
  if (view === "text") reveal();
  else reach(body.querySelector("figure img"));
}

// Scroll a page's image to the words that the server has marked on it, which are known by their colour.
function reach(image) {
  const canvas = make("canvas", { width: 200, height: Math.round(200 * image.naturalHeight / image.naturalWidth) || 1 });
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let at = 0;
  while (at < pixels.length && !(pixels[at] > 230 && pixels[at + 1] > 190 && pixels[at + 2] < 160)) at += 4;
  const row = at < pixels.length ? Math.floor(at / 4 / canvas.width) : 0;
  body.scrollTop = (row / canvas.height) * image.clientHeight - body.clientHeight / 4;
}

function close(refocus = true) {
  if (panel.hidden) return;
  turn += 1;
  const active = shown?.answer != null && chat.querySelector(`button.cite-${shown.answer}-${shown.number}`);
  const back = active || (opener?.isConnected ? opener : null);
  shown = null;
  holding(back, () => {
    panel.hidden = true;
    body.replaceChildren();
    document.body.classList.remove("pin-open");
  });
  cover();
  mark();
  goTo(address());
  announce("");
  if (refocus) back?.focus({ preventScroll: true });
}

// The chat is drawn anew as it gets narrower or wider: what was clicked stays where it is on the screen.
function holding(button, change) {
  const scroller = button?.closest(".panel-wrap");
  const top = button?.getBoundingClientRect().top;
  change();
  if (scroller) scroller.scrollTop += button.getBoundingClientRect().top - top;
}

// On a narrow screen the panel covers the page: what lies beneath must not be reached with the keyboard.
function cover() {
  for (const beneath of document.querySelectorAll("#pin-side, #pin-main")) {
    beneath.inert = NARROW.matches && !panel.hidden;
  }
}

// ---- the document

const have = new Set(); // the starts of the blocks that are drawn
const points = (words, start, end) => Array.from(words).slice(start, end).join(""); // offsets count code points

function draw(blocks, marked) {
  have.clear();
  const parts = content(blocks.blocks, marked);
  if (blocks.start > 0) parts.unshift(more(blocks, "above"));
  if (blocks.end < blocks.characters) parts.push(more(blocks, "below"));
  body.replaceChildren(make("div", { class: "words" }, ...parts));
  reveal();
}

function content(blocks, marked) {
  const parts = [];
  let page = null;
  for (const block of blocks) have.add(block.start);
  for (let at = 0; at < blocks.length; at += 1) {
    const block = blocks[at];
    if (block.page && block.page !== page) {
      page = block.page;
      parts.push(make("p", { class: "page" }, say("page", { n: page })));
    }
    if (marked && block.start < marked.end && marked.start < block.end) {
      let last = at;
      while (marked.quote && last + 1 < blocks.length && blocks[last + 1].start < marked.end) last += 1;
      parts.push(last === at ? drawn(block, marked) : across(block, blocks[last], marked));
      at = last;
    } else {
      parts.push(drawn(block));
    }
  }
  return parts;
}

function drawn(block, marked = null) {
  const inside = marked && {
    ...marked, start: Math.max(marked.start - block.start, 0), end: Math.min(marked.end, block.end) - block.start,
  };
  const words = inside ? split(block, inside) : block.cells.length ? cells(block) : [block.text];
  const veil = block.hidden ? { class: `${block.kind} veiled`, title: block.hidden } : { class: block.kind };
  if (block.kind === "heading") return make(`h${Math.min(block.level + 2, 6)}`, veil, ...words);
  if (block.kind === "leftover") return make("p", { title: block.why, ...veil }, ...words);
  return make("p", veil, ...words);
}

function split(block, inside) {
  const before = points(block.text, 0, inside.start);
  const after = points(block.text, inside.end);
  const quoted = points(block.text, inside.start, inside.end);
  const words = block.cells.length && !before && !after ? cells(block) : [quoted];
  return [before, make("mark", { class: inside.name }, ...words), after];
}

// A quote that runs over several blocks is shown as running text, with the very words of the citation in one mark.
function across(first, last, marked) {
  const before = points(first.text, 0, Math.max(marked.start - first.start, 0));
  const after = points(last.text, Math.max(marked.end - last.start, 0));
  return make("p", { class: "across" }, before, make("mark", { class: marked.name }, marked.quote), after);
}

// A table row: its words in order, with the headers set apart from the values.
function cells(block) {
  const parts = [];
  let at = 0;
  for (const cell of block.cells) {
    const [start, end] = [cell.start - block.start, cell.end - block.start];
    parts.push(make("span", { class: "head" }, points(block.text, at, start)));
    parts.push(make("span", { class: "value" }, points(block.text, start, end)));
    at = end;
  }
  parts.push(make("span", { class: "head" }, points(block.text, at)));
  return parts;
}

function more(blocks, side) {
  const range = side === "above"
    ? [Math.max(0, blocks.start - AROUND), blocks.start]
    : [blocks.end, Math.min(blocks.characters, blocks.end + AROUND)];
  const button = make("button", { type: "button", class: "more" }, say(`more_${side}`));
  button.addEventListener("click", async () => {
    const mine = turn;
    button.disabled = true;
    try {
      const found = await api(`/documents/${blocks.document}/blocks?start=${range[0]}&end=${range[1]}`);
      if (mine !== turn) return;
      const parts = content(found.blocks.filter((block) => !have.has(block.start)), null);
      const height = body.scrollHeight;
      if (side === "above" && found.start > 0) parts.unshift(more({ ...found, end: blocks.end }, "above"));
      if (side === "below" && found.end < found.characters) parts.push(more({ ...found, start: blocks.start }, "below"));
      button.replaceWith(...parts);
      if (side === "above") body.scrollTop += body.scrollHeight - height;
    } catch (error) {
      button.replaceWith(make("p", { class: "gone" }, why(error, say("gone"))));
    }
  });
  return button;
}

// Scroll the panel, and nothing but the panel, so that the marked words stand in its upper half.
function reveal() {
  const marked = body.querySelector("mark");
  if (!marked) {
    body.scrollTop = 0;
    return;
  }
  const [inner, outer] = [marked.getBoundingClientRect(), body.getBoundingClientRect()];
  const room = Math.max(0, outer.height - inner.height);
  body.scrollTop += inner.top - outer.top - Math.min(room / 2, outer.height / 4);
}
