// Lists as tables, of which a phone makes cards: there each cell stands beneath the one before, after its column's heading.

// Some screen readers take what is laid out as cards for a table only if it says that it is one.
const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
const name = (part) => part.setAttribute("role", roles[part.tagName] ?? (part.scope === "row" ? "rowheader" : "columnheader"));

// fill puts rows into a table in place of those that are there.
export function fill(table, rows) {
  const heads = [...table.tHead.rows[0].cells];
  [table, table.tHead, table.tHead.rows[0], ...heads, table.tBodies[0]].forEach(name);
  for (const row of rows) {
    [row, ...row.cells].forEach(name);
    [...row.cells].forEach((cell, i) => (cell.dataset.label = heads[i].textContent));
  }
  table.tBodies[0].replaceChildren(...rows);
}
