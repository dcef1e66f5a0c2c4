"use strict";
// One moment, shared by all charts over time: a line in each, and its values below. The values are those of the tables.
{
  const charts = Array.from(document.querySelectorAll("figure[data-from]"), (figure) => ({
    from: Number(figure.dataset.from),
    to: Number(figure.dataset.to),
    line: figure.querySelector(".cursor"),
    hit: figure.querySelector(".hit"),
    readout: figure.querySelector(".readout"),
    heads: Array.from(figure.querySelectorAll("thead th"), (th) => th.textContent).slice(1),
    rows: Array.from(figure.querySelectorAll("tbody tr"), (tr) => ({ at: Number(tr.dataset.at), tr })),
  }));
  const element = (name, text) => {
    const e = document.createElement(name);
    e.textContent = text;
    return e;
  };
  const read = (chart, time) => {
    let row = chart.rows[0];
    for (const r of chart.rows) {
      if (time >= r.at) row = r;
    }
    const cells = Array.from(row.tr.children, (c) => c.textContent);
    chart.readout.replaceChildren(element("b", cells[0]));
    cells.slice(1).forEach((value, i) => {
      if (value === "0" || value === "–") return;
      chart.readout.append(element("span", chart.heads[i] + " "), element("b", value));
    });
  };
  const show = (share) => {
    for (const c of charts) {
      const x = 100 * share + "%";
      c.line.setAttribute("x1", x);
      c.line.setAttribute("x2", x);
      c.line.classList.add("on");
      read(c, c.from + share * (c.to - c.from));
    }
  };
  const hide = () => {
    for (const c of charts) {
      c.line.classList.remove("on");
      c.readout.replaceChildren();
    }
  };
  for (const c of charts) {
    const move = (event) => {
      const box = c.hit.getBoundingClientRect();
      show(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    c.hit.addEventListener("pointermove", move);
    c.hit.addEventListener("pointerdown", move);
    c.hit.addEventListener("pointerleave", hide);
  }
}
