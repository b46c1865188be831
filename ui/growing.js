// The sentence that a language model is just writing, put where the chat waits for the rest of an answer and marked as
// not verified. It is put there by itself: the chat draws all of its messages anew for each change of one.
const chat = await appeared("#chat");

function put() {
  const place = [...chat.querySelectorAll(".pin-pending")].at(-1);
  if (!place) return;
  const words = props.value || "";
  const label = words ? say("unverified") : say(chat.querySelector(".pin-written") ? "writing" : "pending");
  const shown = [label, words].filter(Boolean).join(" ");
  if (place.textContent === shown) return;
  place.classList.toggle("words", Boolean(words));
  place.replaceChildren(...(words ? [make("span", { class: "unverified" }, label), ` ${words}`] : [label]));
}

watch("value", put);
document.pinGrowing?.disconnect();
document.pinGrowing = new MutationObserver(put);
document.pinGrowing.observe(chat, { childList: true, subtree: true });
put();
