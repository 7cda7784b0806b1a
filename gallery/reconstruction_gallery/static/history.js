// View of the history: jobs that ended, also deleted ones, and what they used by namespace and month.

import { request } from "./api.js";
import { h, setText } from "./dom.js";
import { bytes, seconds, time } from "./format.js";

const SHOWN = 200; // rows; the CSV has all
const PHASES = ["Succeeded", "Failed", "Cancelled"];
const JOBS = [
  ["Job", (job) => `${job.namespace}/${job.name}`],
  ["Ended", (job) => time(job.ended)],
  ["Phase", (job) => (job.reason ? `${job.phase}: ${job.reason}` : job.phase)],
  ["Took", (job) => optional(job.seconds, seconds), true],
  ["CPU", (job) => optional(job.cpu_seconds, seconds), true],
  ["GPU", (job) => optional(job.gpu_seconds, seconds), true],
  ["Photos", (job) => optional(job.photos, String), true],
  ["Result", (job) => optional(job.result_bytes, bytes), true],
];
const TOTALS = [
  ["Month", (total) => total.month],
  ["Namespace", (total) => total.namespace],
  ["Jobs", (total) => String(total.jobs), true],
  ["Succeeded", (total) => String(total.succeeded), true],
  ["Failed", (total) => String(total.failed), true],
  ["Cancelled", (total) => String(total.cancelled), true],
  ["Took", (total) => seconds(total.seconds), true],
  ["CPU", (total) => seconds(total.cpu_seconds), true],
  ["GPU", (total) => optional(total.gpu_seconds || null, seconds), true],
];

/** Show the history in `main`. Returns a function that closes the view. */
export function showHistory(main) {
  const search = h("input", { type: "search", id: "search", placeholder: "Name or namespace", oninput: update });
  const phase = h("select", { id: "phase", onchange: update }, h("option", { value: "" }, "All"), PHASES.map((one) => h("option", {}, one)));
  const count = h("p", { class: "count", role: "status" }, "Loading…");
  const [rows, months] = [h("div", { class: "wide" }), h("div", { class: "wide" })];
  main.replaceChildren(
    h("h1", { tabindex: "-1" }, "History"),
    h("p", { class: "meta" }, "Jobs that ended, also those that were deleted. ",
      h("a", { href: "/api/history.csv", download: "reconstructions.csv" }, "Download all as CSV")),
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      h("span", {}, h("label", { for: "search" }, "Search"), search),
      h("span", {}, h("label", { for: "phase" }, "Phase"), phase)),
    count, rows, h("h2", {}, "By month"), months,
  );
  let jobs = null;
  let isOpen = true;

  function update() {
    if (!jobs) return;
    const text = search.value.trim().toLowerCase();
    const found = jobs.filter((job) =>
      (!phase.value || job.phase === phase.value) && `${job.namespace}/${job.name}`.includes(text));
    const shown = found.slice(0, SHOWN);
    setText(count, found.length > SHOWN ? `The last ${SHOWN} of ${found.length} jobs` : `${found.length} of ${jobs.length} jobs`);
    rows.replaceChildren(table("Ended jobs", JOBS, shown));
  }

  Promise.all([request("GET", "/api/history"), request("GET", "/api/history/totals")]).then(([ended, used]) => {
    if (!isOpen) return;
    ({ jobs } = ended);
    months.replaceChildren(table("What the jobs used, by month", TOTALS, used.totals));
    update();
  }).catch((error) => setText(count, error.message));
  return () => {
    isOpen = false;
  };
}

/** Return a table without empty columns. */
function table(caption, all, rows) {
  const columns = all.filter(([, text]) => !rows.length || rows.some((row) => text(row)));
  const cell = (tag, [, , number], text) => h(tag, { class: number && "number", scope: tag === "th" && "col" }, text);
  return h("table", { class: "history" }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((column) => cell("th", column, column[0])))),
    h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column) => cell("td", column, column[1](row)))))));
}

function optional(value, text) {
  return value === null ? "" : text(value);
}
