// A table of one page of a listing: sorted by the server, refreshed in place, paged by keys.
"use strict";
import { ask, count, el, href, place, poll, say } from "./core.js";
import { table } from "./table.js";

// A listing that is a view's main part. Where it is — order, page, filters — is in the address. A page
// is said by the row that it is beside (after, before) and not by its number or the pages walked: an
// address of the same short length leads there in any tab, what comes and goes elsewhere moves nothing,
// and the server, which counts the rows before a page anyway, remembers nothing.
//   path: of the API; usual: the order unless another is chosen; fields: inputs that filter
//   [{ name, label, placeholder, options }]; fixed: parameters that are always sent; onAnswer: is told what has come,
//   and whether it is all that there is, which it is not while a field filters.
export function listing({ path, usual, columns, id, caption, empty, fields = [], fixed = {}, every = 2000, limit = 100, onBefore, onAnswer }, signal) {
  const here = place();
  const { after = "", before = "", ...kept } = here.parameters;
  const sort = here.parameters.sort || usual;
  const filters = Object.fromEntries(fields.map(({ name }) => [name, here.parameters[name] || ""]));
  const go = (changes, replace) => {
    const { after, before, ...rest } = place().parameters;
    const to = href(here.path, { ...rest, ...changes });
    if (replace) history.replaceState(null, "", to);
    else location.hash = to;
    if (replace) window.dispatchEvent(new Event("hashchange"));
  };
  const grid = table({ columns, id, caption, empty, onSort(column) {
    const isSame = sort.replace(/^-/, "") === column.sort;
    const first = column.isNumber ? `-${column.sort}` : column.sort;
    go({ sort: isSame ? (sort.startsWith("-") ? column.sort : `-${column.sort}`) : first });
  } });
  grid.sorted(sort);

  let timer = null;
  const inputs = fields.map(({ name, label, placeholder, options }) => {
    const change = (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => go({ [name]: event.target.value.trim() }, true), options ? 0 : 250);
    };
    const input = options
      ? el("select", { name, onchange: change }, options.map(([value, text]) => el("option", { value, selected: value === filters[name] }, text)))
      : el("input", { type: "search", name, value: filters[name], placeholder, autocomplete: "off", spellcheck: "false", oninput: change });
    return el("label", {}, el("span", {}, label), input);
  });
  const range = el("span", { class: "range", role: "status" }, "Looking…");
  const took = el("span", { class: "note" });
  const fault = el("p", { class: "fault", hidden: true });
  // They have the focus again on the next page, before it is known where they lead.
  const button = (name, text) => el("a", { class: "button", name, role: "link", tabindex: "0", "aria-disabled": "true" }, text);
  const back = button("previous", "Previous"), on = button("next", "Next");
  const paging = el("span", { class: "paging unknown" }, back, on);
  const tools = el("div", { class: "tools" }, inputs, el("span", { class: "gap" }), el("span", { class: "where" }, range, paging));
  const foot = el("div", { class: "foot" }, took);

  function lead(button, to) {
    if (button.getAttribute("href") === to) return;
    if (to) {
      button.setAttribute("href", to);
      button.removeAttribute("aria-disabled");
    } else {
      button.removeAttribute("href");
      button.setAttribute("aria-disabled", "true");
    }
  }
  function pages({ next, previous, offset }) {
    paging.classList.remove("unknown");
    paging.hidden = !next && !offset;
    // What is within one page of the beginning is on the first page, which is a whole one.
    const isSecond = offset > 0 && (offset <= limit || !previous);
    lead(back, isSecond ? href(here.path, kept) : previous && href(here.path, { ...kept, before: previous }));
    lead(on, next && href(here.path, { ...kept, after: next }));
  }
  const wake = poll(every, async () => {
    const began = performance.now();
    try {
      const answer = await ask(path, { ...fixed, ...filters, sort, after, before, limit }, signal);
      if (signal.aborted) return;
      fault.hidden = true;
      onBefore?.(answer.rows);
      grid.show(answer.rows);
      onAnswer?.(answer, !Object.values(filters).some(Boolean));
      const { offset, total } = answer, shown = answer.rows.length;
      say(range, shown ? `${count(offset + 1)}–${count(offset + shown)} of ${count(total)}` : `0 of ${count(total)}`);
      pages(answer);
      say(took, `Found in ${Math.round(performance.now() - began)} ms`);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      say(fault, `${error.message}`);
      fault.hidden = false;
    }
  }, signal);
  return { node: el("div", { class: "listing" }, tools, fault, grid.node, foot), wake };
}
