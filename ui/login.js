// Sends name and password, then goes where the reader wanted to go: a path of this site and no other.
"use strict";

const RUSSIAN = {
  heading: "Вход",
  "name-label": "Имя",
  "password-label": "Пароль",
  go: "Войти",
  401: "Имя или пароль неверны. Попробуйте ещё раз.",
  429: "Слишком много попыток. Подождите и попробуйте снова.",
  other: "Не получилось войти. Попробуйте ещё раз.",
};
const ENGLISH = {
  401: "The name or the password is wrong. Try again.",
  429: "Too many tries. Wait, then try again.",
  other: "Signing in did not work. Try again.",
};
const russian = navigator.language.toLowerCase().startsWith("ru");
const words = russian ? RUSSIAN : ENGLISH;
if (russian) {
  document.documentElement.lang = "ru";
  document.title = `${RUSSIAN.heading} · pincite`;
  for (const id of ["heading", "name-label", "password-label", "go"]) {
    document.getElementById(id).textContent = RUSSIAN[id];
  }
}

function destination() {
  const wanted = new URL(new URLSearchParams(location.search).get("next") || "/", location.origin);
  return wanted.origin === location.origin ? wanted.pathname + wanted.search + location.hash : "/";
}

sessionStorage.clear(); // what one reader left unsent is not for the next
const form = document.getElementById("form");
const wrong = document.getElementById("wrong");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  const button = document.getElementById("go");
  button.disabled = true;
  let status = 0;
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: form.elements.name.value, password: form.elements.password.value }),
    });
    status = response.status;
  } catch {
    status = 0;
  }
  button.disabled = false;
  if (status === 204) {
    location.assign(destination());
    return;
  }
  wrong.textContent = words[status] || words.other;
  form.elements.password.select();
});
