// Jobs made from an earlier one: run again with the same photos, restored from the trash.

import { request } from "./api.js";
import { field, h, setText } from "./dom.js";
import { jobFields } from "./fields.js";
import { freeName, pageUrl } from "./format.js";
import { byName } from "./store.js";

const UNKNOWN_PHOTOS = "file:///photos/unknown"; // the input of a job that `kubectl recon restore` created
const NOT_REPEATED = ["cancelRequested", "cancelConfirmed", "cancelReason", "suspend", "reuse"];

/** Return whether the job names photos. */
export function namesPhotos(spec) {
  return spec.input?.uri !== UNKNOWN_PHOTOS;
}

/** Ask for name and parameters, and create a job with the same photos. `changes`: of the earlier job's parameters; `without`: fields of its spec. */
export function runAgain(job, changes, without, go) {
  const { namespace, name: first } = job.metadata;
  const suggested = freeName(first, (wanted) => byName(namespace, wanted));
  const name = h("input", {
    id: "again-name", required: true, autocomplete: "off", value: suggested, pattern: "[a-z0-9]([a-z0-9.\\-]*[a-z0-9])?",
  });
  const fields = jobFields({ ...job.spec, parameters: { ...job.spec.parameters, ...changes } });
  fields.expect(job.status.inputs?.images ?? 0);
  const output = h("input", { id: "again-output", autocomplete: "off", value: beside(job.spec.output?.uri, first, suggested) });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const create = h("button", { class: "primary" }, "Run again");
  const close = () => dialog.close();
  const dialog = h("dialog", { "aria-labelledby": "question", onclose: () => dialog.remove() },
    h("h2", { id: "question" }, `Run ${first} again`),
    h("form", { class: "submit", onsubmit: send }, h("p", {}, "A new job with the same photos, which are not uploaded again."),
      field("Name", name), fields.element, job.spec.output ? field("Copy the result to", output) : null, wrong,
      h("p", { class: "actions" }, create, h("button", { type: "button", onclick: close }, "Close"))));

  async function send(event) {
    event.preventDefault();
    create.disabled = true;
    await fields.ready;
    const spec = { ...repeated(job.spec, without), parameters: undefined, ...fields.spec(), ...(job.spec.output ? { output: { uri: output.value } } : {}) };
    try {
      const made = await request("POST", `/api/namespaces/${namespace}/jobs`, { name: name.value, spec });
      close();
      go(pageUrl(made));
    } catch (error) {
      setText(wrong, error.message);
    } finally {
      create.disabled = false;
    }
  }
  document.body.append(dialog);
  dialog.showModal();
}

/** Create a job of the deleted job's name that takes its result over from the trash. Throws ApiError. */
export function restore({ namespace, name, spec }) {
  const { output, ...rest } = repeated(spec); // the copy of the result is where it was
  return request("POST", `/api/namespaces/${namespace}/jobs`, { name, spec: { ...rest, reuse: "Required" } });
}

function repeated(spec, without = []) {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => ![...NOT_REPEATED, ...without].includes(name)));
}

/** Return an address for another result: a job may not replace that of another one. */
function beside(uri, name, other) {
  if (!uri) return null;
  return uri.includes(name) ? uri.replace(name, other) : `${uri.replace(/\/$/, "")}/${other}`;
}
