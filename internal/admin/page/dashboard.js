// The operator's page: it follows the node's events, shows the newest figures, and draws the last 15 minutes.
import { listLists, refreshLists } from "/lists.js";
import { listOperators, refreshOperators } from "/operators.js";
import { Chart, span } from "/charts.js";
import { listen } from "/actions.js";
import { listen as listenAccess, refresh as refreshAccess } from "/access.js";
import { listActs } from "/audit.js";
import { showLockouts } from "/lockouts.js";
import { listenProofs } from "/proofs.js";
import { listPlayers, refresh as refreshPlayers } from "/players.js";
import { showRole } from "/roles.js";
import { showWays } from "/ways.js";
import { lost as nothingHeard, showDocsOf, showJudgement, starting } from "/verdict.js";

const byID = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const number = (n) => whole.format(n).replaceAll(",", "\u202f");
const rate = (n) => (n === 0 ? "0" : n < 10 ? n.toFixed(1) : number(n));
const ms = (n) => {
  if (n >= 1000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)} s`;
  if (n >= 10) return `${n.toFixed(0)} ms`;
  return n >= 1 ? `${n.toFixed(1)} ms` : `${n.toPrecision(n < 0.1 ? 1 : 2)} ms`;
};
const msOrZero = (n) => (n === 0 ? "0" : ms(n));
const msTick = (n) => (n >= 1000 ? `${n / 1000} s` : `${Number(n.toPrecision(2))} ms`);
const percent = (share) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
const cores = (n) => n.toFixed(2);
const unknown = "–";
const perhaps = (format) => (v) => (v === undefined ? unknown : format(v));
const size = (bytes) => `${number(bytes / 2 ** 20)} MiB`;

function duration(seconds) {
  const [d, h, m, s] = [86400, 3600, 60, 1].map((unit, i, units) =>
    Math.floor((i ? seconds % units[i - 1] : seconds) / unit));
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

// ago writes seconds that a player has waited, to the tenth only while that is much.
const ago = (s) => (s < 10 ? `${s.toFixed(1)} s` : duration(Math.round(s)));
const msLong = (n) => (n < 1000 ? msOrZero(n) : ago(n / 1000));
const msLongTick = (n) => (n >= 600_000 ? `${Number((n / 60_000).toPrecision(2))} min` : msTick(n));

// silent is for how many ms the page hears nothing before it says that it has lost the node.
const silent = 5000;
const state = { about: null, now: null, points: [], heard: 0, stopped: false };
const none = (interval, value, format) => (interval.count ? format(value) : "–");

// metrics has, for each figure on the page, its plain value and how it is written.
const metrics = {
  players: (s) => [s.players, number],
  "players-max": (s) => [s.players_max, number],
  connected: (s) => [s.udp + s.websocket, number],
  udp: (s) => [s.udp, number],
  websocket: (s) => [s.websocket, number],
  admitted: (s) => [s.admitted.total, number],
  "admitted-rate": (s) => [s.admitted.per_s, rate],
  busy: (s) => [s.busy.total, number],
  "busy-rate": (s) => [s.busy.per_s, rate],
  "rate-limited": (s) => [s.rate_limited.total, number],
  "rate-limited-rate": (s) => [s.rate_limited.per_s, rate],
  failed: (s) => [s.failed.total + s.expired.total, number],
  "failed-rate": (s) => [s.failed.per_s + s.expired.per_s, rate],
  locked: (s) => [s.locked, number],
  "knocks-rate": (s) => [s.door.knocks.per_s, rate],
  "by-doorman": (s) => [s.door.refused_by_doorman.total, number],
  "by-doorman-rate": (s) => [s.door.refused_by_doorman.per_s, rate],
  "by-api": (s) => [s.door.refused_by_api.total, number],
  "by-api-rate": (s) => [s.door.refused_by_api.per_s, rate],
  "accepted-rate": (s) => [s.door.connections_accepted.per_s, rate],
  "handed-over-rate": (s) => [s.door.connections_handed_over.per_s, rate],
  "door-each": (s) => [s.door.connection_us, (us) => (us ? `${number(us)} µs` : unknown)],
  "door-allowed": (s) => [s.door.allowed_cores, (n) => (n ? `${s.door.bounded ? cores(n) : "all"} cores` : unknown)],
  "accept-queue": (s) => [s.door.accept_queue?.length, perhaps(number)],
  "accept-limit": (s) => [s.door.accept_queue?.limit, perhaps(number)],
  overflows: (s) => [s.door.accept_queue?.overflows.total, perhaps(number)],
  "handshakes-waiting": (s) => [s.door.handshakes?.waiting, perhaps(number)],
  "handshakes-done": (s) => [s.door.handshakes?.done.total, perhaps(number)],
  "handshakes-failed": (s) => [s.door.handshakes?.failed.total, perhaps(number)],
  line: (s) => [s.line.waiting, number],
  "line-called": (s) => [s.line.called, number],
  "line-pace": (s) => [s.line.pace_per_s, (n) => `${rate(n)} per second`],
  "line-no-shows": (s) => [s.line.no_shows, percent],
  "line-front": (s) => [s.line.front_s, (v) => (s.line.waiting ? ago(v) : unknown)],
  "line-told": (s) => [s.line.told_high_ms, () => s.line.told],
  promise: (s) => [s.line.promises_kept_share, perhaps(percent)],
  promises: (s) => [s.line.promises_kept, (n) => `${number(n)} of ${number(s.line.promises_judged)}`],
  "resumes-lane": (s) => [s.resumes.in_lane, number],
  "resumes-pace": (s) => [s.resumes.pace_per_s, (n) => `${rate(n)} per second`],
  "resumes-admitted": (s) => [s.resumes.admitted.total, number],
  "resumes-busy": (s) => [s.resumes.busy.total, number],
  "resumes-failed": (s) => [s.resumes.failed.total, number],
  "resumes-reused": (s) => [s.resumes.reused.total, number],
  "resumes-p99": (s) => [s.resumes.wait.p99_ms, (v) => none(s.resumes.wait, v, ms)],
  "guests-in": (s) => [s.identities?.guests_in.total, perhaps(number)],
  "guests-made": (s) => [s.identities?.guests_made.total, perhaps(number)],
  "federated-in": (s) => [s.identities?.federated_in.total, perhaps(number)],
  "federated-made": (s) => [s.identities?.federated_made.total, perhaps(number)],
  queue: (s) => [s.queue, number],
  "queue-capacity": (s) => [s.queue_capacity, (n) => (n ? number(n) : "unbounded")],
  "wait-max": (s) => [s.wait.max_ms, (v) => none(s.wait, v, ms)],
  "wait-p50": (s) => [s.wait.p50_ms, (v) => none(s.wait, v, ms)],
  "wait-p99": (s) => [s.wait.p99_ms, (v) => none(s.wait, v, ms)],
  "lateness-p50": (s) => [s.lateness.p50_ms, (v) => none(s.lateness, v, ms)],
  "lateness-p99": (s) => [s.lateness.p99_ms, (v) => none(s.lateness, v, ms)],
  "lateness-max": (s) => [s.lateness.max_ms, (v) => none(s.lateness, v, ms)],
  "ticks-skipped": (s) => [s.ticks_skipped.total, number],
  "store-ms": (s) => [s.store_ms, ms],
  "store-health": (s) => [s.store_away ? "away" : "ok", (v) => (v === "ok" ? "Answers" : "Away")],
  circuit: (s) => [s.circuit_open ? "open" : "closed", (v) => (v === "open" ? "Open" : "Closed")],
  "store-errors": (s) => [s.store_errors.total, number],
  unsaved: (s) => [s.unsaved, number],
  cpu: (s) => [s.cpu_cores, cores],
  "cpu-tick": (s) => [s.door.tick_cores, cores],
  "cpu-hash": (s) => [s.door.hash_cores, cores],
  "cpu-door": (s) => [s.door.door_cores, cores],
  "cpu-rest": (s) => [s.door.rest_cores, cores],
  cores: (s) => [s.cores, number],
  rss: (s) => [s.rss_bytes, size],
  goroutines: (s) => [s.goroutines, number],
  uptime: (s) => [Math.max(Math.floor((s.t - Date.parse(state.about.started)) / 1000), 0), duration],
};

const charts = [
  new Chart(byID("chart-door"), {
    title: "Logins and registrations per second", stacked: true, format: rate, least: 2,
    series: [
      { key: "in", label: "let in", css: "s-in" }, { key: "bu", label: "told busy", css: "s-busy" },
      { key: "rl", label: "rate-limited", css: "s-limited" }, { key: "fa", label: "failed", css: "s-failed" },
    ],
  }),
  new Chart(byID("chart-players"), {
    title: "Players", format: number, least: 4, filled: true,
    limit: () => state.now && { value: state.now.players_max, label: `full at ${number(state.now.players_max)}` },
    series: [{ key: "p", label: "inside", css: "s-in" }, { key: "c", label: "connected", css: "s-main" }],
  }),
  new Chart(byID("chart-refusals"), {
    title: "Refusals per second, by what they cost", stacked: true, format: rate, least: 2,
    series: [
      { key: "rd", label: "by the doorman", css: "s-main" }, { key: "ra", label: "by the API", css: "s-high" },
    ],
  }),
  new Chart(byID("chart-accept"), {
    title: "Connections that wait to be accepted", format: number, least: 4, filled: true, event: { key: "ov", label: "found no room" },
    limit: () => {
      const limit = state.now?.door.accept_queue?.limit;
      return limit && { value: limit, label: `full at ${number(limit)}` };
    },
    series: [
      { key: "aq", label: "in the kernel", css: "s-busy" }, { key: "hw", label: "for a handshake", css: "s-main" },
    ],
  }),
  new Chart(byID("chart-line"), {
    title: "Players in the line", format: number, least: 4, filled: true,
    series: [
      { key: "lw", label: "waiting", css: "s-busy" }, { key: "lc", label: "called, on their way", css: "s-main" },
    ],
  }),
  new Chart(byID("chart-ages"), {
    title: "Wait in the line", format: msLong, tick: msLongTick, least: 1000,
    series: [
      { key: "lh", label: "newcomers are told at most", css: "s-high" }, { key: "lf", label: "at the front", css: "s-main" },
    ],
  }),
  new Chart(byID("chart-queue"), {
    title: "Requests in the queue", format: number, least: 4, filled: true,
    limit: () => {
      const limit = state.now?.queue_capacity;
      return limit && { value: limit, label: `full at ${number(limit)}` };
    },
    series: [{ key: "q", label: "waiting", css: "s-busy" }],
  }),
  new Chart(byID("chart-wait"), {
    title: "Wait in the queue", format: msOrZero, tick: msTick, least: 10,
    series: [{ key: "w5", label: "p50", css: "s-main" }, { key: "w9", label: "p99", css: "s-high" }],
  }),
  new Chart(byID("chart-resumes"), {
    title: "Requests with tokens per second", stacked: true, format: rate, least: 2,
    series: [
      { key: "ri", label: "let in", css: "s-in" }, { key: "rb", label: "told busy", css: "s-busy" },
      { key: "rf", label: "failed", css: "s-failed" },
    ],
  }),
  new Chart(byID("chart-tick"), {
    title: "Tick lateness", format: ms, log: [0.01, 1000], event: { key: "sk", label: "steps skipped" },
    tick: msTick,
    limit: () => ({ value: 1000 / 60, label: "one step, 16.67 ms" }),
    series: [
      { key: "lm", label: "max", css: "s-max" }, { key: "l9", label: "p99", css: "s-high" },
      { key: "l5", label: "p50", css: "s-main" },
    ],
  }),
  new Chart(byID("chart-store"), {
    title: "Time of a call to the store", format: msOrZero, tick: msTick, least: 1, filled: true, event: { key: "er", label: "calls failed" },
    series: [{ key: "st", label: "mean", css: "s-main" }],
  }),
  new Chart(byID("chart-cpu"), {
    title: "Cores busy", stacked: true, format: cores, tick: (n) => String(Number(n.toFixed(2))), least: 0.5,
    limit: () => state.now && { value: state.now.cores, label: `all ${state.now.cores} cores` },
    series: [
      { key: "ct", label: "tick", css: "s-in" }, { key: "ch", label: "hash", css: "s-limited" },
      { key: "cd", label: "door", css: "s-busy" }, { key: "cr", label: "play and all else", css: "s-main" },
    ],
  }),
];

function showMetrics(now) {
  for (const e of document.querySelectorAll("[data-metric]")) {
    const metric = metrics[e.dataset.metric];
    if (!metric) continue;
    const [value, format] = metric(now);
    e.value = value ?? "";
    e.textContent = format(value);
  }
  for (const e of document.querySelectorAll(".handshakes")) e.hidden = !now.door.handshakes;
  byID("line-length").hidden = now.line.waiting === 0;
  byID("line-empty").hidden = now.line.waiting > 0;
  showReasons(now.reasons, now.expired);
  showWays(now.identities, number);
  showNotices(now.notices ?? []);
}

// showNotices lists the sentences there are besides figures, those first about which there is something to be done.
function showNotices(notices) {
  const key = JSON.stringify(notices);
  const list = byID("notices");
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.replaceChildren(...notices.toSorted((a, b) => b.bad - a.bad).map((n) => {
    const item = document.createElement("li");
    item.textContent = n.text;
    item.className = n.bad ? "problem" : "muted";
    return item;
  }));
}

const words = {
  "server-busy": "Told to come back", "bad-credentials": "Wrong name or password", "username-taken": "Name taken",
  "already-logged-in": "Already logged in", "missing-credentials": "Malformed", "wrong-zone": "Sent to another node",
  "account-disabled": "Account disabled", "second-factor": "Asked for a code",
  "internal-error": "Internal error", "request-expired": "Expired in the queue",
};

function showReasons(reasons, expired) {
  const body = byID("reasons");
  const all = { ...reasons, "request-expired": expired };
  for (const reason of Object.keys(all).sort()) {
    let row = body.querySelector(`[data-reason="${CSS.escape(reason)}"]`);
    if (!row) {
      row = body.insertRow();
      row.dataset.reason = reason;
      const th = document.createElement("th");
      th.scope = "row";
      th.textContent = words[reason] ?? reason;
      row.append(th);
      for (const part of ["rate", "total"]) {
        const data = document.createElement("data");
        data.dataset.part = part;
        row.insertCell().append(data);
      }
    }
    const [perSecond, total] = row.querySelectorAll("data");
    perSecond.value = all[reason].per_s;
    perSecond.textContent = rate(all[reason].per_s);
    total.value = all[reason].total;
    total.textContent = number(all[reason].total);
  }
}

function showLink(name, text) {
  const link = byID("link");
  link.dataset.link = name;
  link.textContent = text;
}

function onAbout(event) {
  const about = JSON.parse(event.data);
  if (state.about?.run !== about.run) Object.assign(state, { points: [], now: null });
  state.about = about;
  state.heard = Date.now();
  showDocsOf(about);
  if (!state.now) showJudgement(starting);
  byID("node").textContent = about.name;
  byID("store").textContent = about.store;
  byID("logout").hidden = !about.login;
  if (showRole(about)) { // and rows have buttons
    refreshPlayers();
    refreshAccess();
    refreshLists();
    refreshOperators();
  }
  byID("version").textContent = about.build.version;
  byID("version").title = `${about.build.revision}, ${about.build.go}`;
}

function onSamples(event) {
  const { now, points } = JSON.parse(event.data);
  const last = state.points.at(-1)?.t ?? 0;
  state.points.push(...points.filter((p) => p.t > last));
  state.points = state.points.filter((p) => p.t > now.t - span);
  state.now = now;
  state.heard = Date.now();
  showLink("live", "Live");
  document.body.dataset.figures = "live";
  if (!document.hidden) show();
}

// showWarnings lists by which settings the store may lose what it acknowledges.
function showWarnings(warnings) {
  const list = byID("store-warnings");
  if (list.dataset.shown === JSON.stringify(warnings)) return; // or it would be read out anew with every sample
  list.dataset.shown = JSON.stringify(warnings);
  list.replaceChildren(...warnings.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

function show() {
  if (!state.now || Date.now() - state.heard > silent) return;
  showMetrics(state.now);
  showJudgement(state.now);
  showLockouts(state.now.locked);
  showWarnings(state.now.store_warnings ?? []);
  for (const chart of charts) chart.show(state.points);
}

// follow opens the stream of events. What the browser does not open again by itself, because the answer was none, is
// tried again after a while.
function follow() {
  const source = new EventSource("/events");
  source.addEventListener("about", onAbout);
  source.addEventListener("samples", onSamples);
  source.addEventListener("stopped", (event) => {
    state.stopped = true;
    const last = JSON.parse(event.data);
    showJudgement({ ...last, parts: undefined });
    showLink("lost", last.state === "stopped" ? "Stopped" : "Handed over");
  });
  source.addEventListener("open", () => (state.stopped = false));
  source.addEventListener("error", () => {
    lost();
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(retry, 3000);
  });
}

async function retry() {
  const asking = new AbortController();
  try {
    const { status } = await fetch("/events", { signal: asking.signal });
    asking.abort();
    if (status === 401) return location.assign("/login");
    if (status === 503) showLink("lost", "Too many dashboards are open, or the node is stopping");
  } catch {
    // The node is away; the next try will tell.
  }
  follow();
}

function lost() {
  if (state.stopped) return;
  showLink("lost", "No connection");
  document.body.dataset.figures = "old";
  showJudgement(nothingHeard(state.heard));
}

setInterval(() => {
  if (state.heard && Date.now() - state.heard > silent) lost();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show();
});
listen();
listPlayers();
listActs();
listenAccess();
listenProofs();
listLists();
listOperators();
follow();
