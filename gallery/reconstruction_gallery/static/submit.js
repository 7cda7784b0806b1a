// View for a new job: collects photos, uploads them, and creates the job as the user.

import { request, send } from "./api.js";
import { alertUser, clearAlerts, h, setText } from "./dom.js";
import { bytes, pageUrl } from "./format.js";
import { byName, jobs, listen } from "./store.js";

const AT_ONCE = 3; // simultaneous uploads
const PHOTO = /(^|\/)[^./][^/]*\.(jpe?g|png|webp|tiff?|heic|heif)$/i; // no hidden files
const LAST_NAMESPACE = "gallery.namespace";

let take = null; // adds photos to the form, while it is shown

/** Show the form in `main`; `go` opens another view. Returns a function that closes the view. */
export function showSubmit(main, _params, go) {
  const photos = new Map(); // name -> file
  let stem = "scan";
  let named = false; // the user has edited the name
  const known = h("datalist", { id: "namespaces" });
  const namespace = h("input", {
    id: "namespace", list: "namespaces", required: true, autocomplete: "off", oninput: suggest,
    value: localStorage.getItem(LAST_NAMESPACE) ?? "default",
  });
  const name = h("input", {
    id: "name", required: true, autocomplete: "off", pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", oninput: () => (named = true),
  });
  const model = h("input", { id: "model", list: "models", required: true, autocomplete: "off", value: "photogrammetry" });
  const models = h("datalist", { id: "models" }, ["photogrammetry", "placeholder"].map((one) => h("option", { value: one })));
  const qualities = ["preview", "fast", "standard", "high"].map((name) => h("option", {}, name));
  const quality = h("select", { id: "quality" }, h("option", { value: "" }, "Default"), ...qualities);
  const picked = () => add([...picker.files].map((file) => [file.name, file]));
  const picker = h("input", { id: "photos", type: "file", multiple: true, accept: "image/*,.heic,.heif", onchange: picked });
  const chosen = h("p", { role: "status" }, "No photos yet: 20 or more from all sides are best.");
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const submit = h("button", { class: "primary" }, "Upload and start");
  const zone = h("div", { class: "zone" }, h("label", { for: "photos" }, "Photos: choose, or drop them here"), picker, chosen);
  const field = (label, input) => h("p", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "submit", onsubmit: start }, zone, field("Namespace", namespace), known, field("Name", name),
    field("Model", model), models, field("Quality", quality), bar, submit);
  main.replaceChildren(h("h1", { tabindex: "-1" }, "New job"), form);

  function add(files, folder = "") {
    stem = plain(folder) || stem;
    suggest();
    const usable = files.filter(([path]) => PHOTO.test(path));
    for (const [path, file] of usable) photos.set(safe(path, photos), file);
    const size = [...photos.values()].reduce((sum, file) => sum + file.size, 0);
    const others = files.length - usable.length;
    setText(chosen, `${photos.size} photos, ${bytes(size)}${others ? `; ${others} other files are left out` : ""}.`);
    picker.value = "";
  }

  async function start(event) {
    event.preventDefault();
    clearAlerts();
    if (photos.size < 3) {
      alertUser("A reconstruction needs at least 3 photos.");
      return;
    }
    submit.disabled = true;
    try {
      await upload();
    } catch (error) {
      alertUser(error.message);
    } finally {
      submit.disabled = false;
      bar.hidden = true;
    }
  }

  let begun = null; // the upload; used again if its job was rejected

  async function upload() {
    const base = `/api/namespaces/${encodeURIComponent(namespace.value)}/uploads`;
    if (begun?.base !== base) begun = { base, id: (await request("POST", base, {})).id, sent: new Map() };
    const left = [...photos].filter(([photo, file]) => begun.sent.get(photo) !== file);
    const total = left.reduce((sum, [, file]) => sum + file.size, 0);
    const progress = new Map();
    bar.hidden = false;
    const next = async () => {
      for (let one = left.shift(); one; one = left.shift()) {
        const [photo, file] = one;
        await send(`${base}/${begun.id}/photos/${encodeURIComponent(photo)}`, file, (sent) => {
          progress.set(photo, sent);
          bar.value = [...progress.values()].reduce((sum, part) => sum + part, 0) / total;
        });
        begun.sent.set(photo, file);
        setText(chosen, `${begun.sent.size} of ${photos.size} photos are uploaded.`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    const spec = { modelType: model.value, ...(quality.value ? { parameters: { quality: quality.value } } : {}) };
    const made = await request("POST", `${base}/${begun.id}/job`, { name: name.value, spec });
    begun = null;
    localStorage.setItem(LAST_NAMESPACE, made.namespace);
    go(pageUrl(made));
  }

  function suggest() {
    const names = [...new Set([...jobs.values()].map((job) => job.namespace))].sort();
    if (!named) name.value = free(stem, namespace.value);
    if (names.length !== known.children.length) known.replaceChildren(...names.map((one) => h("option", { value: one })));
  }
  suggest();
  take = add;
  const stop = listen(suggest);
  return () => {
    take = null;
    stop();
  };
}

/** Add dropped files to the form, if it is shown. */
export async function addDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean); // before any await: the items are empty afterwards
  const files = entries.length
    ? (await Promise.all(entries.map((entry) => inside(entry, "")))).flat()
    : [...transfer.files].map((file) => [file.name, file]);
  take?.(files, entries.length === 1 && entries[0].isDirectory ? entries[0].name : "");
}

/** Return pairs of path and file: for a file, or for all files in a folder. */
async function inside(entry, path) {
  if (entry.isFile) return [[path + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const isTop = entry.fullPath.lastIndexOf("/") === 0;
  const below = isTop && entry.name !== "masks" ? path : `${path}${entry.name}/`;
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // returns a part of the entries at a time
    if (!some.length) break;
    for (const one of some) found.push(inside(one, below));
  }
  return (await Promise.all(found)).flat();
}

/** Make a job's name from a folder's name. */
function plain(folder) {
  return folder.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 50).replace(/-$/, "");
}

/** Return the name, with a number appended if there is a job of that name. */
function free(stem, namespace) {
  let name = stem;
  for (let number = 2; byName(namespace, name); number += 1) name = `${stem}-${number}`;
  return name;
}

/** Return a unique name without folders that the gallery accepts; a mask keeps the name of its photo. */
function safe(path, photos) {
  const original = path.replace(/(^|\/)masks\/([^/]+)\.png$/i, "$1$2.mask.png").replaceAll("/", "_");
  const [, stem, suffix] = /^(.*?)((?:\.mask)?\.\w+)$/.exec(original);
  const plain = stem.normalize("NFKD").replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]+/, "_").slice(0, 80) || "photo";
  let name = plain + suffix;
  for (let number = 2; photos.has(name); number += 1) name = `${plain}_${number}${suffix}`;
  return name;
}
