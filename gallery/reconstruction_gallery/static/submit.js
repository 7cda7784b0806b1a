// A new job: drop photos, send them one by one, and create the job as the user.

import { request, send } from "./api.js";
import { alertUser, clearAlerts, h, setText } from "./dom.js";
import { bytes, pageUrl } from "./format.js";
import { jobs, listen } from "./store.js";

const AT_ONCE = 3; // photos under way
const PHOTO = /\.(jpe?g|png|webp|tiff?|heic|heif)$/i;
const LAST_NAMESPACE = "gallery.namespace";

/** Show the form in `main`; `go` opens another page. Returns a function that ends it. */
export function showSubmit(main, _params, go) {
  const photos = new Map(); // name -> file
  const known = h("datalist", { id: "namespaces" });
  const namespace = h("input", {
    id: "namespace", list: "namespaces", required: true, autocomplete: "off", value: localStorage.getItem(LAST_NAMESPACE) ?? "default",
  });
  const name = h("input", { id: "name", required: true, autocomplete: "off", pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", value: "scan" });
  const model = h("input", { id: "model", list: "models", required: true, autocomplete: "off", value: "photogrammetry" });
  const models = h("datalist", { id: "models" }, ["photogrammetry", "placeholder"].map((one) => h("option", { value: one })));
  const qualities = ["preview", "fast", "standard", "high"].map((name) => h("option", {}, name));
  const quality = h("select", { id: "quality" }, h("option", { value: "" }, "Default"), ...qualities);
  const picker = h("input", { id: "photos", type: "file", multiple: true, accept: "image/*,.heic,.heif", onchange: () => add(picker.files) });
  const chosen = h("p", { role: "status" }, "No photos yet: 20 or more from all sides are best.");
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const submit = h("button", { class: "primary" }, "Upload and start");
  const zone = h("div", { class: "zone" }, h("label", { for: "photos" }, "Photos: choose, or drop them here"), picker, chosen);
  const field = (label, input) => h("p", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "submit", onsubmit: start }, zone, field("Namespace", namespace), known, field("Name", name),
    field("Model", model), models, field("Quality", quality), bar, submit);
  main.replaceChildren(h("h1", { tabindex: "-1" }, "New job"), form);

  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    add(event.dataTransfer.files);
  });

  function add(files) {
    const others = [...files].filter((file) => !PHOTO.test(file.name));
    for (const file of files) if (PHOTO.test(file.name)) photos.set(safe(file.name, photos), file);
    const size = [...photos.values()].reduce((sum, file) => sum + file.size, 0);
    setText(chosen, `${photos.size} photos, ${bytes(size)}${others.length ? `; ${others.length} other files are left out` : ""}.`);
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

  let begun = null; // an upload whose job was refused is used again

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
    if (names.length !== known.children.length) known.replaceChildren(...names.map((one) => h("option", { value: one })));
  }
  suggest();
  return listen(suggest);
}

/** A name that the gallery takes, and that no other photo has. */
function safe(original, photos) {
  const [, stem, suffix] = /^(.*?)(\.\w+)$/.exec(original);
  const plain = stem.normalize("NFKD").replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]+/, "_").slice(0, 80) || "photo";
  let name = plain + suffix;
  for (let number = 2; photos.has(name); number += 1) name = `${plain}_${number}${suffix}`;
  return name;
}
