// Menu of downloads: every format of a result, and all files at once.

import { h } from "./dom.js";
import { apiUrl, bytes, fileUrl } from "./format.js";
import { saveUsdz } from "./mesh.js";

const OBJ = /\.(obj|mtl)$|_texture\.png$/i;
const KINDS = [
  [/^(?!.*_(full|compressed)\.glb$).*\.glb$/i, "GLB, for Blender and the web"],
  [/_full\.glb$/i, "GLB, all triangles"],
  [/_compressed\.glb$/i, "GLB, compressed (Draco)"],
  [/\.usdz$/i, "USDZ, for iPhones"],
  [/\.ply$/i, "PLY, the point cloud"],
  [/\.stl$/i, "STL, for printers"],
  [/report\.html$/i, "Report"],
];

/** Return the menu. `viewer()`: the element that shows the mesh, once it does; `makeObj`: starts a job that also writes OBJ, or null. */
export function downloadMenu(key, result, viewer, makeObj) {
  const { files } = result;
  const sum = (some) => some.reduce((total, file) => total + file.bytes, 0);
  const link = (href, name, text, size) => h("li", {},
    h("a", { href, download: name, onclick: close }, h("span", {}, text), " ", h("span", { class: "meta" }, bytes(size))));
  const button = (text, act) => h("li", {}, h("button", { type: "button", onclick: () => { close(); act(); } }, text));
  const kinds = files.map((file) => [KINDS.findIndex(([pattern]) => pattern.test(file.name)), file]).filter(([kind]) => kind >= 0)
    .sort(([one], [other]) => one - other);
  const obj = files.filter((file) => OBJ.test(file.name));
  const hasObj = obj.some((file) => /\.obj$/i.test(file.name));
  const items = [
    link(`${apiUrl(key)}/result.zip`, `${key.name}.zip`, "All files (ZIP)", sum(files)),
    ...kinds.map(([kind, file]) => link(`${fileUrl(key, file.name)}?download`, file.name.split("/").pop(), KINDS[kind][1], file.bytes)),
  ];
  if (hasObj) items.push(link(`${apiUrl(key)}/result.zip?format=obj`, `${key.name}-obj.zip`, "OBJ with its texture (ZIP)", sum(obj)));
  else if (makeObj) items.push(button("OBJ: run again with it…", makeObj));
  if (kinds.some(([, file]) => file.name.endsWith(".glb")) && !files.some((file) => /\.usdz$/i.test(file.name))) {
    items.push(button("USDZ, for iPhones", () => saveUsdz(viewer(), key.name)));
  }
  const menu = h("details", { class: "menu" }, h("summary", { class: "button primary" }, "Download"), h("ul", {}, items));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    close();
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
  });
  function close() {
    menu.open = false;
  }
  return menu;
}
