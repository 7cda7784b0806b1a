// The mesh in 3D: the viewer is loaded when there is one.

import { h } from "./dom.js";

/** Convert the shown mesh for phones of Apple, in this browser. */
async function saveUsdz(viewer, label) {
  const href = await viewer.prepareUSDZ();
  h("a", { href, download: `${label.split(" ").pop()}.usdz` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Show the mesh at `address` in `place`. */
export async function showMesh(place, address, label) {
  try {
    await import("./vendor/model-viewer.min.js");
  } catch {
    return; // the previews do not need it
  }
  const element = h("model-viewer", {
    src: address, alt: label, "camera-controls": true, "touch-action": "pan-y", "interaction-prompt": "none", "shadow-intensity": 0.6,
    ar: true, "ar-modes": "webxr quick-look", // phones; a scene viewer of its own could not sign in
  });
  const full = h("button", { type: "button", onclick: () => element.requestFullscreen() }, "Full screen");
  const usdz = h("button", { type: "button", onclick: () => saveUsdz(element, label) }, "Save as USDZ");
  place.replaceChildren(element, h("div", { class: "viewer-bar" },
    h("span", {}, "Drag to turn, scroll to zoom, or use the arrow keys."), h("span", { class: "actions" }, usdz, full)));
  place.hidden = false;
}
