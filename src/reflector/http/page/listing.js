// A table of one page of a listing: sorted by the server, refreshed in place, paged by keys.
"use strict";
import { ask, count, el, href, place, poll, say } from "./core.js";

// What came before each page, as far as this tab has been there.
const trail = new Map();

// One cell: a text, a part { text, href, title, kind }, or several of them. Rebuilt only when it
// differs, so that focus and selection survive a refresh.
function write(cell, parts) {
  const list = Array.isArray(parts) ? parts : [parts];
  // Titles of times move with the clock; the text says when they matter.
  const mark = JSON.stringify(list, (key, value) => key === "title" && list.some((part) => part?.unsigned) ? undefined : value);
  if (cell.mark === mark) return;
  cell.mark = mark;
  cell.replaceChildren(...list.filter((part) => part !== null && part !== undefined).map((part) => {
    if (typeof part !== "object") return document.createTextNode(String(part));
    const { text, href, title, kind } = part;
    return href ? el("a", { href, title, class: kind }, text) : el("span", { title, class: kind }, text);
  }));
}

// columns: [{ title, sort, isNumber, of(row), hint, isFirst }]; `id` tells rows apart.
export function table({ columns, id, caption, empty, onSort }) {
  const heads = columns.map((column) => {
    const head = el("th", { scope: "col", class: column.isNumber ? "number" : null, title: column.hint });
    if (column.sort && onSort) head.append(el("button", { type: "button", onclick: () => onSort(column) }, column.title));
    else head.append(column.title);
    return head;
  });
  const body = el("tbody");
  const nothing = el("p", { class: "empty", hidden: true }, empty);
  const grid = el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body);
  const known = new Map();
  return {
    node: el("div", {}, el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, grid), nothing),
    nothing,
    sorted(by) {
      columns.forEach((column, index) => {
        const name = by.replace(/^-/, "");
        if (!column.sort) return;
        if (column.sort === name) heads[index].setAttribute("aria-sort", by.startsWith("-") ? "descending" : "ascending");
        else heads[index].removeAttribute("aria-sort");
      });
    },
    show(rows) {
      const names = new Set(rows.map(id));
      for (const [name, line] of known) {
        if (!names.has(name)) {
          line.remove();
          known.delete(name);
        }
      }
      let before = null;
      for (const row of rows) {
        const name = id(row);
        let line = known.get(name);
        if (!line) {
          line = el("tr", {}, columns.map((column) =>
            column.isFirst ? el("th", { scope: "row" }) : el("td", { class: column.isNumber ? "number" : null })));
          known.set(name, line);
        }
        columns.forEach((column, index) => write(line.children[index], column.of(row)));
        const wanted = before ? before.nextSibling : body.firstChild;
        if (line !== wanted) body.insertBefore(line, wanted);
        before = line;
      }
      nothing.hidden = rows.length > 0;
      grid.hidden = !rows.length;
    },
  };
}

// A listing that is a view's main part. Where it is — order, page, filters — is in the address.
//   path: of the API; usual: the order unless another is chosen; fields: inputs that filter
//   [{ name, label, placeholder, options }]; fixed: parameters that are always sent.
export function listing({ path, usual, columns, id, caption, empty, fields = [], fixed = {}, every = 2000, limit = 100, onBefore }, signal) {
  const here = place();
  const { after = "", page = "1" } = here.parameters;
  const sort = here.parameters.sort || usual;
  const filters = Object.fromEntries(fields.map(({ name }) => [name, here.parameters[name] || ""]));
  const go = (changes, replace) => {
    const { after, page, ...rest } = place().parameters;
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
  const button = (text, to) => el("a", { class: "button", href: to, "aria-disabled": to ? null : "true" }, text);
  const paging = el("span", { class: "paging" });
  const tools = el("div", { class: "tools" }, inputs, el("span", { class: "gap" }), range, paging);
  const foot = el("div", { class: "foot" }, took);

  const key = (mark) => JSON.stringify([here.path, sort, filters, mark]);
  const number = Math.max(1, Number(page) || 1);
  let shown = null;
  function pages(next) {
    const mark = JSON.stringify([next, number]);
    if (mark === shown) return;
    shown = mark;
    const to = (after, page) => href(here.path, { ...filters, sort: here.parameters.sort, after, page });
    if (next) trail.set(key(next), after);
    const back = after ? trail.get(key(after)) : undefined;
    paging.hidden = !after && !next;
    const previous = !after ? null : back === undefined ? to("", "") : to(back, number > 2 ? number - 1 : "");
    paging.replaceChildren(button(after && back === undefined ? "First page" : "Previous", previous), button("Next", next && to(next, number + 1)));
  }
  const wake = poll(every, async () => {
    const began = performance.now();
    try {
      const answer = await ask(path, { ...fixed, ...filters, sort, after, limit }, signal);
      if (signal.aborted) return;
      fault.hidden = true;
      onBefore?.(answer.rows);
      grid.show(answer.rows);
      const first = (number - 1) * limit;
      say(range, answer.rows.length ? `${count(first + 1)}–${count(first + answer.rows.length)} of ${count(answer.total)}` : `0 of ${count(answer.total)}`);
      pages(answer.next);
      say(took, `Found in ${Math.round(performance.now() - began)} ms`);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      say(fault, `${error.message}`);
      fault.hidden = false;
    }
  }, signal);
  return { node: el("div", { class: "listing" }, tools, fault, grid.node, foot), wake };
}
