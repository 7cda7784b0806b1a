// Sections of a job's view: previews, result, parameters, times, files, photos, report, log.

import { request } from "./api.js";
import { h, setText } from "./dom.js";
import { apiUrl, bytes, duration, fileUrl, inOrder, label, photoUrl, seconds, time } from "./format.js";

const REPORT = "report.html";

/** Return the sections that show the object and its manifest. */
export function sections(key, { job, result }) {
  const { spec, status } = job;
  const made = previews(key, result);
  const named = (values) => facts(inOrder(Object.entries(values)).map(([name, value]) => [label(name), text(value)]));
  const numbers = { ...status.quality, ...result?.quality };
  if (Object.keys(numbers).length) {
    made.push(section("Result", h("ul", { class: "said" }, inWords(numbers, status.size).map((one) => h("li", {}, one))),
      h("details", {}, h("summary", {}, "All numbers"), named(numbers))));
  }
  made.push(section("Job", facts([
    ["Reason", status.failure?.reason],
    ["Model", spec.modelType],
    ["Photos", status.inputs?.images && `${status.inputs.images} (${bytes(status.inputs.bytes ?? 0)})`],
    ["Input", spec.input?.uri],
    ["Output", status.outputs?.uri],
    ["Queue", spec.queue],
    ["Parts", partsInWords(status.parts)],
  ])));
  const parameters = { ...spec.parameters, ...result?.parameters };
  if (Object.keys(parameters).length) made.push(section("Parameters", named(parameters)));
  made.push(section("Times", facts([
    ["Created", time(job.metadata.creationTimestamp)],
    ["Waited", status.startTime && duration(job.metadata.creationTimestamp, status.startTime)],
    ["Started", time(status.startTime)],
    ["Ended", time(status.completionTime)],
    ["Took", status.startTime && status.completionTime && duration(status.startTime, status.completionTime)],
    ...(status.steps ?? []).map((step) => [step.name, seconds(step.seconds ?? 0)]),
    ["CPU", result?.usage?.cpuSeconds && seconds(Math.round(result.usage.cpuSeconds))],
    ["GPU", result?.usage?.gpuSeconds && seconds(Math.round(result.usage.gpuSeconds))],
    ["Peak memory", result?.usage?.peakMemoryBytes && bytes(result.usage.peakMemoryBytes)],
    ["Resumed from", result?.resumedFrom],
    ["Attempt", status.attempt > 1 && `${status.attempt} (${status.failures ?? 0} failed)`],
    ["Worker", status.worker],
  ])));
  return [...made, ...files(key, result)];
}

/** Return what the numbers of a result say, a sentence each. */
function inWords(numbers, size) {
  const [registered, images, error, faces, points, invented] = ["registered", "images", "reprojectionErrorPx", "faces", "densePoints", "inventedShare"]
    .map((name) => (numbers[name] === undefined ? NaN : Number(numbers[name])));
  const is = Number.isFinite;
  const count = (number) => number.toLocaleString("en");
  return [
    is(registered) && is(images) && `${registered} of ${images} photos show it${is(error) ? `, and agree to ${error.toFixed(2)} px` : ""}.`,
    is(faces) && `Its mesh has ${count(faces)} triangles${is(points) ? `, from ${count(points)} points` : ""}.`,
    is(invented) && (invented < 0.005 ? "All of its surface is in the photos." : `${Math.round(100 * invented)} % of its surface is closed where no photo shows it.`),
    is(faces) && is(invented) && (size ? `It measures ${size}.` : "Its real size is unknown: printed markers or GPS positions give it."),
    numbers.advice && !numbers.advice.startsWith("none") && `${numbers.advice}.`,
  ].filter(Boolean);
}

/** Return how far the parts of a stage are that several workers make. */
function partsInWords({ total = 0, done = 0, running = 0 } = {}) {
  return total && `${done} of ${total} made${running > 1 ? `, ${running} workers` : ""}`;
}

/** Return the section with the pictures of the result, if it has any. */
export function previews(key, result) {
  const pictures = (result?.files ?? []).filter((file) => /\.(png|jpe?g|webp)$/i.test(file.name) && !/texture|^standpoints\//i.test(file.name));
  return pictures.length ? [section("Previews", h("ul", { class: "pictures" }, pictures.map((file) => h("li", {},
    h("a", { href: fileUrl(key, file.name), target: "_blank", rel: "noopener" },
      h("img", { src: fileUrl(key, file.name), alt: file.name, loading: "lazy" }))))))] : [];
}

/** Return the section with the files of the result, if there are any. */
export function files(key, result) {
  if (!result?.files.length) return [];
  return [section("Files", h("ul", { class: "files" }, result.files.map((file) => h("li", {},
    h("a", { href: `${fileUrl(key, file.name)}?download`, download: file.name.split("/").pop() }, file.name),
    " ", h("span", { class: "meta" }, bytes(file.bytes))))))];
}

/** Return whether the result has a report. */
export function hasReport(result) {
  return Boolean(result?.files.some((file) => file.name === REPORT));
}

/** Return the model's report in a sandboxed frame, which `show` loads. */
export function reportPanel(key) {
  const panel = h("div", {});
  panel.show = () => {
    if (panel.firstElementChild) return;
    panel.append(h("iframe", { src: fileUrl(key, REPORT), sandbox: "allow-scripts", title: "Report", class: "report" }));
  };
  return panel;
}

/** Return the log, which `show` loads: it is expensive for the API server. */
export function logPanel(key) {
  const lines = h("pre", { class: "log", tabindex: "0", hidden: true, "aria-label": "Log" });
  const note = h("p", { class: "meta", role: "status" });
  const again = h("button", { type: "button", onclick: load }, "Reload");
  const every = h("input", { type: "checkbox", id: "every-line", onchange: render });
  let loaded = false;
  let found = { lines: [], leftOut: "" };

  /** Show time, part and sentence of the lines that say something, or every line as it was written. */
  function render() {
    const shown = found.lines.filter((one) => every.checked || one.sentence);
    lines.textContent = shown.map((one) => (every.checked
      ? `${one.time.slice(0, 19).replace("T", " ")} ${one.source}  ${one.text}`
      : `${new Date(one.time).toLocaleTimeString()}  ${one.part.padEnd(8)}  ${one.sentence}`)).join("\n");
    lines.hidden = !shown.length;
    setText(note, [shown.length ? `${shown.length} lines` : "No lines", found.leftOut].filter(Boolean).join("; "));
  }

  async function load() {
    loaded = again.disabled = true;
    setText(note, "Loading…");
    try {
      found = await request("GET", `${apiUrl(key)}/log`);
      render();
    } catch (error) {
      setText(note, error.message);
    } finally {
      again.disabled = false;
    }
  }
  const panel = h("div", {}, h("p", { class: "actions" }, again, h("label", {}, every, " Every line, as it was written")), note, lines);
  panel.show = () => loaded || load();
  return panel;
}

/** Return small pictures of the photos, which the browser that uploaded them made, or else of the first; it removes itself if there is none. */
export function photosSection(job) {
  const first = photoUrl(job);
  const picture = h("img", { src: job.uploaded ? `${apiUrl(job)}/photos.jpg` : first, alt: "Some of the photos", class: "sheet", onerror: other });
  const made = section("Photos", picture);
  function other() {
    if (picture.getAttribute("src") === first) made.remove();
    else picture.setAttribute("src", first);
  }
  return made;
}

function section(title, ...content) {
  return h("section", {}, h("h2", {}, title), ...content);
}

function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function text(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
