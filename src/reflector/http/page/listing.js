// A table of one page of a listing: sorted by the server, refreshed in place, paged by keys.
"use strict";
import { ask, count, el, href, place, poll, say } from "./core.js";

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

// A listing that is a view's main part. Where it is — order, page, filters — is in the address. A page
// is said by the row that it is beside (after, before) and not by its number or the pages walked: an
// address of the same short length leads there in any tab, what comes and goes elsewhere moves nothing,
// and the server, which counts the rows before a page anyway, remembers nothing.
//   path: of the API; usual: the order unless another is chosen; fields: inputs that filter
//   [{ name, label, placeholder, options }]; fixed: parameters that are always sent.
export function listing({ path, usual, columns, id, caption, empty, fields = [], fixed = {}, every = 2000, limit = 100, onBefore }, signal) {
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
