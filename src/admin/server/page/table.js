// A table that is refreshed in place.
"use strict";
import { el } from "./core.js";

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
