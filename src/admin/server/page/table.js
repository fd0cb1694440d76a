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

// On a narrow screen the column that says what a row is about comes first; at any width it stays when others scroll.
const narrow = matchMedia("(max-width: 720px)");
function orderOf(columns, isNarrow) {
  const first = columns.findIndex((column) => column.isFirst), all = [...columns.keys()];
  return isNarrow && first > 0 ? [first, ...all.filter((index) => index !== first)] : all;
}

// columns: [{ title, sort, isNumber, of(row), hint, isFirst }]; `id` tells rows apart.
export function table({ columns, id, caption, empty, onSort }) {
  const heads = columns.map((column) => {
    const kinds = [column.isNumber ? "number" : "", column.isFirst ? "first" : ""].filter(Boolean).join(" ");
    const head = el("th", { scope: "col", class: kinds || null, title: column.hint });
    if (column.sort && onSort) head.append(el("button", { type: "button", onclick: () => onSort(column) }, column.title));
    else head.append(column.title);
    return head;
  });
  const body = el("tbody"), top = el("tr");
  const nothing = el("p", { class: "empty", hidden: true }, empty);
  const grid = el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, top), body);
  // Lines by the names of their rows: the element, and its cells in the order of `columns`.
  const known = new Map();
  let order = null;
  // Puts the columns in the order that the width asks for.
  function arrange() {
    if (order?.isNarrow === narrow.matches) return;
    order = { isNarrow: narrow.matches, columns: orderOf(columns, narrow.matches) };
    const inOrder = (cells) => order.columns.map((index) => cells[index]);
    top.append(...inOrder(heads));
    for (const { line, cells } of known.values()) line.append(...inOrder(cells));
  }
  function lineOf(name) {
    if (!known.has(name)) {
      const cells = columns.map((column) =>
        column.isFirst ? el("th", { scope: "row" }, el("div", { class: "about" })) : el("td", { class: column.isNumber ? "number" : null }));
      known.set(name, { line: el("tr", {}, order.columns.map((index) => cells[index])), cells });
    }
    return known.get(name);
  }
  arrange();
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
      arrange();
      const names = new Set(rows.map(id));
      for (const [name, { line }] of known) {
        if (!names.has(name)) {
          line.remove();
          known.delete(name);
        }
      }
      let before = null;
      for (const row of rows) {
        const { line, cells } = lineOf(id(row));
        columns.forEach((column, index) => write(column.isFirst ? cells[index].firstChild : cells[index], column.of(row)));
        const wanted = before ? before.nextSibling : body.firstChild;
        if (line !== wanted) body.insertBefore(line, wanted);
        before = line;
      }
      nothing.hidden = rows.length > 0;
      grid.hidden = !rows.length;
    },
  };
}
