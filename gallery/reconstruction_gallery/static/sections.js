// Sections of a job's view: previews, numbers, times, files, report, log.

import { request } from "./api.js";
import { h, setText } from "./dom.js";
import { apiUrl, bytes, duration, fileUrl, seconds, time } from "./format.js";

const REPORT = "report.html";

/** Return the sections that show the object and its manifest. */
export function sections(key, { job, result }) {
  const { spec, status } = job;
  const pictures = (result?.files ?? []).filter((file) => /\.(png|jpe?g|webp)$/i.test(file.name) && !/texture/i.test(file.name));
  const made = [];
  if (pictures.length) {
    made.push(section("Previews", h("ul", { class: "pictures" }, pictures.map((file) => h("li", {},
      h("a", { href: fileUrl(key, file.name), target: "_blank", rel: "noopener" },
        h("img", { src: fileUrl(key, file.name), alt: file.name, loading: "lazy" })))))));
  }
  made.push(section("Numbers", facts([
    ["Model", spec.modelType],
    ["Photos", status.inputs?.images && `${status.inputs.images} (${bytes(status.inputs.bytes ?? 0)})`],
    ["Input", spec.input?.uri],
    ["Output", status.outputs?.uri],
    ...Object.entries({ ...spec.parameters, ...result?.parameters }).map(([name, value]) => [name, text(value)]),
    ...Object.entries({ ...status.quality, ...result?.quality }).map(([name, value]) => [words(name), text(value)]),
    ["Reason", status.failure?.reason],
  ])));
  made.push(section("Times", facts([
    ["Created", time(job.metadata.creationTimestamp)],
    ["Waited", status.startTime && duration(job.metadata.creationTimestamp, status.startTime)],
    ["Started", time(status.startTime)],
    ["Ended", time(status.completionTime)],
    ["Took", status.startTime && status.completionTime && duration(status.startTime, status.completionTime)],
    ...(status.steps ?? []).map((step) => [step.name, seconds(step.seconds ?? 0)]),
    ["CPU", result?.usage?.cpuSeconds && seconds(Math.round(result.usage.cpuSeconds))],
    ["Peak memory", result?.usage?.peakMemoryBytes && bytes(result.usage.peakMemoryBytes)],
    ["Resumed from", result?.resumedFrom],
    ["Attempt", status.attempt > 1 && `${status.attempt} (${status.failures ?? 0} failed)`],
    ["Worker", status.worker],
  ])));
  if (result?.files.length) {
    const all = h("p", {},
      h("a", { href: `${apiUrl(key)}/result.zip`, download: `${key.name}.zip` }, "Download all"), " ",
      h("span", { class: "meta" }, bytes(result.files.reduce((sum, file) => sum + file.bytes, 0))));
    made.push(section("Files", all, h("ul", { class: "files" }, result.files.map((file) => h("li", {},
      h("a", { href: `${fileUrl(key, file.name)}?download`, download: file.name.split("/").pop() }, file.name),
      " ", h("span", { class: "meta" }, bytes(file.bytes)))))));
  }
  return made;
}

/** Return the model's report in a sandboxed frame; empty if there is none. */
export function reportSection(key, result) {
  if (!result.files.some((file) => file.name === REPORT)) return [];
  const show = h("button", {
    type: "button",
    onclick: () => show.replaceWith(h("iframe", { src: fileUrl(key, REPORT), sandbox: "allow-scripts", title: "Report", class: "report" })),
  }, "Show the report");
  return [section("Report", show)];
}

/** Return the log section. The log is loaded on request only: it is expensive for the API server. */
export function logSection(key) {
  const lines = h("pre", { class: "log", tabindex: "0", hidden: true, "aria-label": "Log" });
  const note = h("p", { class: "meta", role: "status" });
  const show = h("button", { type: "button", onclick: load }, "Show the log");
  async function load() {
    show.disabled = true;
    setText(note, "Loading…");
    try {
      const found = await request("GET", `${apiUrl(key)}/log`);
      lines.textContent = found.lines.map((one) => `${one.time.slice(0, 19).replace("T", " ")} ${one.source}  ${one.text}`).join("\n");
      lines.hidden = !found.lines.length;
      setText(note, [found.lines.length ? `${found.lines.length} lines` : "No lines", found.leftOut].filter(Boolean).join("; "));
      setText(show, "Reload");
    } catch (error) {
      setText(note, error.message);
    } finally {
      show.disabled = false;
    }
  }
  return section("Log", show, note, lines);
}

function section(title, ...content) {
  return h("section", {}, h("h2", {}, title), ...content);
}

function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function text(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** registeredImages -> registered images */
function words(name) {
  return name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
