// Charts of the last minutes, drawn as SVG. A chart is given points with a time t in ms and shows some of their
// numbers; it can be read with the pointer, with the arrow keys, and as a table.

export const span = 15 * 60 * 1000;
const svgNS = "http://www.w3.org/2000/svg";
const margin = { left: 46, right: 6, top: 8, bottom: 18 };
// What the axis of time can show, in minutes: as little as is enough, for a node that has just begun.
const windows = { 2: [2, 1, 0], 5: [5, 4, 3, 2, 1, 0], 15: [15, 10, 5, 0] };
const gap = 2500; // ms without a point after which a line is interrupted

function element(name, attributes, parent) {
  const e = document.createElementNS(svgNS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  parent?.append(e);
  return e;
}

function html(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// swatch returns a piece of a line as it is drawn in a chart.
function swatch(css) {
  const svg = element("svg", { viewBox: "0 0 20 8", width: 20, height: 8, "aria-hidden": "true" });
  element("path", { class: css, d: "M0,4H20" }, svg);
  return svg;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const clockShort = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

// niceTop returns a round number that is no less than max.
function niceTop(max) {
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].map((m) => m * power).find((top) => top >= max * 0.999);
}

export class Chart {
  // spec: title; series [{key, label, css}]; stacked; log [lowest, highest]; least (of the top of the axis);
  // limit() returns {value, label} or null; format(number); event {key, label}: the points that are marked.
  constructor(box, spec) {
    this.box = box;
    this.spec = spec;
    this.points = [];
    this.svg = element("svg", { "aria-hidden": "true", focusable: "false" }, box);
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-roledescription", "chart");
    this.readout = html("p", "hidden");
    this.readout.setAttribute("aria-live", "polite");
    this.tip = html("div", "tip");
    this.tip.hidden = true;
    box.append(this.tip, this.readout);
    this.addLegend();
    this.addTable();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(box);
  }

  listen() {
    this.box.addEventListener("pointermove", (e) => {
      const x = e.clientX - this.svg.getBoundingClientRect().left;
      this.look(this.timeAt(x), false);
    });
    this.box.addEventListener("pointerleave", () => this.look(null, false));
    this.box.addEventListener("blur", () => this.look(null, false));
    this.box.addEventListener("keydown", (e) => {
      const last = this.points.at(-1)?.t;
      if (last === undefined) return;
      const step = e.shiftKey ? 60_000 : 5_000;
      const from = this.cursor ?? last;
      const to = { ArrowLeft: from - step, ArrowRight: from + step, Home: last - span, End: last }[e.key];
      if (e.key === "Escape") this.look(null, false);
      if (to === undefined) return;
      e.preventDefault();
      this.look(Math.min(Math.max(to, this.points[0].t), last), true);
    });
  }

  // addLegend says above the chart what is what: nothing is written into it, where it would hide what is drawn.
  addLegend() {
    const legend = html("ul", "legend");
    this.spec.series.forEach((s, i) => {
      const item = html("li");
      item.append(this.spec.stacked ? html("i", `key ${s.css}`) : swatch(`line d${i} ${s.css}`), s.label);
      legend.append(item);
    });
    if (this.spec.limit) {
      this.limitKey = html("li");
      this.limitKey.hidden = true;
      this.limitText = html("span");
      this.limitKey.append(swatch("limit"), this.limitText);
      legend.append(this.limitKey);
    }
    if (this.spec.event) {
      const item = html("li");
      const svg = element("svg", { viewBox: "0 0 8 8", width: 8, height: 8, "aria-hidden": "true" }, item);
      element("path", { class: "event", d: "M0.5,1h7l-3.5,6Z" }, svg);
      item.append(this.spec.event.label);
      legend.append(item);
    }
    this.box.before(legend);
  }

  addTable() {
    const details = html("details");
    details.append(html("summary", "", "Minute by minute"));
    const scroll = html("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", this.spec.title + ", minute by minute");
    details.append(scroll);
    this.table = { details, scroll };
    details.addEventListener("toggle", () => this.fillTable());
    this.box.closest(".card").append(details);
  }

  // show draws the points, which are the caller's and in order of time.
  show(points) {
    this.points = points;
    this.draw();
    const minute = Math.floor((points.at(-1)?.t ?? 0) / 60_000);
    if (minute !== this.minute) { // not more often: somebody may be listening
      this.minute = minute;
      this.describe();
      this.fillTable();
    }
  }

  describe() {
    const last = this.points.at(-1);
    if (!last) return;
    const parts = this.spec.series.map((s) => {
      const peak = this.points.reduce((top, p) => Math.max(top, p[s.key] ?? 0), 0);
      return `${s.label} ${this.text(last[s.key])}, at most ${this.text(peak)}`;
    });
    this.box.setAttribute("aria-label", `${this.spec.title}, up to the last 15 minutes. ${parts.join("; ")}. Arrow keys read it.`);
  }

  text(value) {
    return value === undefined ? "none" : this.spec.format(value);
  }

  fillTable() {
    if (!this.table.details.open) return;
    const minutes = new Map();
    for (const p of this.points) {
      const key = Math.floor(p.t / 60_000);
      if (!minutes.has(key)) minutes.set(key, []);
      minutes.get(key).push(p);
    }
    const table = html("table", "figures");
    const how = this.spec.stacked ? "mean" : "highest";
    table.append(html("caption", "hidden", `${this.spec.title}: ${how} of each minute`));
    const head = table.createTHead().insertRow();
    for (const name of ["Time", ...this.spec.series.map((s) => `${s.label}, ${how}`)]) {
      const th = html("th", "", name);
      th.scope = "col";
      head.append(th);
    }
    const body = table.createTBody();
    for (const [minute, points] of [...minutes].reverse()) {
      const row = body.insertRow();
      const th = html("th", "", clockShort.format(minute * 60_000));
      th.scope = "row";
      row.append(th);
      for (const s of this.spec.series) row.insertCell().textContent = this.text(this.summarise(points, s.key));
    }
    this.table.scroll.replaceChildren(table);
  }

  // summarise returns the one number that stands for some points: rates are averaged, of all else the highest counts.
  summarise(points, key) {
    const values = points.map((p) => p[key]).filter((v) => v !== undefined);
    if (values.length === 0) return undefined;
    if (this.spec.stacked) return values.reduce((a, b) => a + b, 0) / values.length;
    return Math.max(...values);
  }

  timeAt(x) {
    const share = (x - margin.left) / (this.width - margin.left - margin.right);
    return this.end - this.span + Math.min(Math.max(share, 0), 1) * this.span;
  }

  look(time, aloud) {
    this.cursor = time;
    this.drawCursor();
    if (!aloud) return;
    this.readout.textContent = [...this.tip.children].map((e) => e.textContent).join(", ");
  }

  draw() {
    this.width = this.box.clientWidth;
    this.height = this.svg.clientHeight;
    if (this.width === 0 || this.points.length === 0) return;
    this.end = this.points.at(-1).t;
    const age = (this.end - this.points[0].t) / 60_000;
    this.minutes = Number(Object.keys(windows).find((minutes) => minutes >= age) ?? 15);
    this.span = this.minutes * 60_000;
    this.limit = this.spec.limit?.();
    this.buckets = this.bucketed();
    this.top = this.axisTop();
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.replaceChildren();
    this.drawAxes();
    if (this.spec.stacked) this.drawStack();
    else this.drawLines();
    this.drawLimit();
    this.drawEvents();
    this.cursorGroup = element("g", {}, this.svg);
    this.drawCursor();
  }

  // bucketed joins points that are less than two pixels apart.
  bucketed() {
    const size = (this.span / (this.width - margin.left - margin.right)) * 2;
    const buckets = [];
    let current = null;
    for (const p of this.points) {
      const slot = Math.floor(p.t / size);
      if (!current || current.slot !== slot) buckets.push((current = { slot, points: [] }));
      current.points.push(p);
    }
    return buckets.map(({ points }) => {
      const joined = { t: points.at(-1).t };
      for (const s of this.spec.series) joined[s.key] = this.summarise(points, s.key);
      return joined;
    });
  }

  axisTop() {
    if (this.spec.log) return this.spec.log[1];
    const total = (b) => this.spec.series.reduce((sum, s) => sum + (b[s.key] ?? 0), 0);
    const highest = (b) => Math.max(...this.spec.series.map((s) => b[s.key] ?? 0));
    const max = Math.max(this.spec.least ?? 0, ...this.buckets.map(this.spec.stacked ? total : highest));
    // A limit far above what happens would flatten the rest.
    const limit = this.limit && this.limit.value <= max * 4 ? this.limit.value * 1.08 : 0;
    return limit > max ? limit : niceTop(max || 1);
  }

  x(t) {
    return margin.left + (1 - (this.end - t) / this.span) * (this.width - margin.left - margin.right);
  }

  y(value) {
    const space = this.height - margin.top - margin.bottom;
    let share = value / this.top;
    if (this.spec.log) {
      const [low, high] = this.spec.log.map(Math.log10);
      share = (Math.log10(Math.max(value, this.spec.log[0])) - low) / (high - low);
    }
    return margin.top + (1 - Math.min(Math.max(share, 0), 1)) * space;
  }

  ticks() {
    if (this.spec.log) {
      const all = [];
      for (let v = this.spec.log[0]; v <= this.spec.log[1] * 1.001; v *= 10) all.push(v);
      return all;
    }
    const step = niceTop(this.top / 3.2);
    const all = [];
    for (let v = 0; v <= this.top * 1.001; v += step) all.push(v);
    return all;
  }

  drawAxes() {
    for (const v of this.ticks()) {
      const y = Math.round(this.y(v)) + 0.5;
      element("line", { class: "rule", x1: margin.left, x2: this.width - margin.right, y1: y, y2: y }, this.svg);
      const label = element("text", { x: margin.left - 6, y: y + 3.5, "text-anchor": "end" }, this.svg);
      label.textContent = (this.spec.tick ?? this.spec.format)(v);
    }
    const marks = windows[this.minutes];
    marks.forEach((minutes, i) => {
      const x = this.x(this.end - minutes * 60_000);
      const anchor = i === 0 ? "start" : i === marks.length - 1 ? "end" : "middle";
      const label = element("text", { x, y: this.height - 3, "text-anchor": anchor }, this.svg);
      label.textContent = minutes === 0 ? "now" : `−${minutes}${i === 0 ? " min" : ""}`;
    });
  }

  // runs parts what is drawn where there is nothing to draw.
  runs(key) {
    const runs = [];
    let before = null;
    const apart = Math.max(gap, (this.span / this.width) * 5);
    for (const b of this.buckets) {
      if (key && b[key] === undefined) continue;
      if (!before || b.t - before.t > apart) runs.push([]);
      runs.at(-1).push(b);
      before = b;
    }
    return runs;
  }

  drawLines() {
    this.spec.series.forEach((s, i) => {
      for (const run of this.runs(s.key)) {
        const line = run.map((b) => `${this.x(b.t).toFixed(1)},${this.y(b[s.key]).toFixed(1)}`);
        if (run.length === 1) line.push(`${(this.x(run[0].t) + 1.5).toFixed(1)},${this.y(run[0][s.key]).toFixed(1)}`);
        if (i === 0 && this.spec.filled) {
          const base = this.height - margin.bottom;
          const d = `M${this.x(run[0].t).toFixed(1)},${base}L${line.join("L")}L${this.x(run.at(-1).t).toFixed(1)},${base}Z`;
          element("path", { class: `area ${s.css}`, d }, this.svg);
        }
        element("path", { class: `line d${i} ${s.css}`, d: "M" + line.join("L") }, this.svg);
      }
    });
  }

  drawStack() {
    for (const run of this.runs(null)) {
      const base = run.map(() => 0);
      for (const s of this.spec.series) {
        const lower = run.map((b, i) => `${this.x(b.t).toFixed(1)},${this.y(base[i]).toFixed(1)}`);
        run.forEach((b, i) => (base[i] += b[s.key] ?? 0));
        const upper = run.map((b, i) => `${this.x(b.t).toFixed(1)},${this.y(base[i]).toFixed(1)}`);
        element("path", { class: `stack ${s.css}`, d: `M${upper.join("L")}L${lower.reverse().join("L")}Z` }, this.svg);
      }
    }
  }

  drawLimit() {
    if (this.limitKey) this.limitKey.hidden = !this.limit;
    if (!this.limit) return;
    this.limitText.textContent = this.limit.label;
    if (this.limit.value > this.top) return;
    const y = Math.round(this.y(this.limit.value)) + 0.5;
    element("line", { class: "limit", x1: margin.left, x2: this.width - margin.right, y1: y, y2: y }, this.svg);
  }

  drawEvents() {
    if (!this.spec.event) return;
    const { key } = this.spec.event;
    for (const p of this.points) {
      if (!p[key]) continue;
      const x = this.x(p.t);
      element("path", { class: "event", d: `M${x - 3.5},${margin.top - 6}h7l-3.5,6Z` }, this.svg);
    }
  }

  drawCursor() {
    this.cursorGroup?.replaceChildren();
    this.tip.hidden = true;
    if (this.cursor === null || this.cursor === undefined || !this.cursorGroup) return;
    const near = this.points.reduce((best, p) =>
      Math.abs(p.t - this.cursor) < Math.abs(best.t - this.cursor) ? p : best, this.points[0]);
    const x = this.x(near.t);
    if (x < margin.left) return;
    element("line", { class: "cursor", x1: x, x2: x, y1: margin.top, y2: this.height - margin.bottom }, this.cursorGroup);
    this.tip.replaceChildren(
      html("div", "", clock.format(near.t)),
      ...this.spec.series.map((s) => html("div", "", `${s.label} ${this.text(near[s.key])}`)),
    );
    this.tip.hidden = false;
    const left = x > this.width / 2 ? x - this.tip.offsetWidth - 8 : x + 8;
    this.tip.style.left = `${Math.max(left, 0)}px`;
  }
}
