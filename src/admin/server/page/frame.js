// The frame around the views: how it stands with the server, what is wrong, the token, light and dark.
"use strict";
import { el, keepToken, say } from "./core.js";

const banners = document.getElementById("banners");
const link = document.getElementById("link");

// Says whether the server answers (null: not known yet), and what is wrong: [kind, text] of each.
export function tell(isUp, wrong) {
  say(link, isUp === null ? "connecting" : isUp ? "live" : "lost");
  link.className = isUp === null ? "" : isUp ? "up" : "down";
  const mark = JSON.stringify(wrong);
  if (banners.mark === mark) return;
  banners.mark = mark;
  banners.replaceChildren(...wrong.map(([kind, text]) => el("p", { class: `banner ${kind}` }, text)));
}

// Shows the view of a path, and ends the one before. `entitle` gets its name, and the part of the path that it is about.
const main = document.getElementById("content");
let shown = null;
export function present(views, { path, parameters }, entitle, more) {
  shown?.abort();
  shown = new AbortController();
  const found = views.map(([pattern, view, name]) => [pattern.exec(path), view, name]).find(([match]) => match);
  main.replaceChildren();
  if (found) {
    const [match, view, name] = found;
    entitle(name, match[1]);
    view(main, { parameters, signal: shown.signal, argument: match[1], ...more });
  } else {
    main.append(el("p", { class: "empty" }, "There is no such view. ", el("a", { href: "#/" }, "Overview")));
  }
}

// Goes to the head of the view that is shown, if its path is another one than before.
let lastPath = null;
export function arrive(path, stays) {
  if (lastPath !== null && lastPath !== path && !stays) {
    main.querySelector("h1")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  lastPath = path;
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// Asks for the token, once, until it is right.
let form = null;
document.addEventListener("tokenwanted", ({ detail: { isWrong } }) => {
  const sentence = isWrong ? "The server does not take this token. Enter the one in the file of --http-token-file."
    : "The server asks for a token. Enter the one in the file of --http-token-file; it is kept until this tab is closed.";
  if (form) return say(form.querySelector("span"), sentence);
  const input = el("input", { type: "password", name: "token", autocomplete: "off", required: true });
  form = el("form", { id: "token", class: "banner warn" }, el("label", {}, el("span", {}, sentence), " ", input), " ", el("button", {}, "Enter"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.remove();
    form = null;
    keepToken(input.value.trim());
  });
  banners.after(form);
  input.focus();
});

// Light and dark: as the system wants, unless told otherwise.
const theme = document.getElementById("theme");
const names = { auto: ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };
const stored = () => {
  try {
    return localStorage.getItem("theme") in names ? localStorage.getItem("theme") : "auto";
  } catch {
    return "auto";
  }
};
function paint(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  const [sign, text] = names[choice];
  say(theme, sign);
  theme.setAttribute("aria-label", `Colours: ${text}`);
  theme.title = `Colours: ${text}`;
}
let choice = stored();
paint(choice);
theme.addEventListener("click", () => {
  const all = Object.keys(names);
  choice = all[(all.indexOf(choice) + 1) % all.length];
  paint(choice);
  try {
    localStorage.setItem("theme", choice);
  } catch {
    // It holds until the page is left.
  }
});
