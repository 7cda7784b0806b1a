// Standpoints: where more photos would show most, as numbers in the scene, each with its picture and its sentence.

import { drawing, h } from "./dom.js";
import { fileUrl } from "./format.js";

/** Return the standpoints that the result advises; none if it has no such file, or an unreadable one. */
export async function advised(key, result) {
  const file = result?.files.find((one) => one.name === "advice.json");
  if (!file) return [];
  try {
    const answer = await fetch(fileUrl(key, file.name));
    const { standpoints } = await answer.json();
    return standpoints.filter((one) => inSpace(one.position) && inSpace(one.direction) && Number.isFinite(one.distance))
      .map((one) => ({ ...one, picture: fileUrl(key, one.picture) }));
  } catch {
    return []; // the mesh does not need it
  }
}

/**
 * Return a `tool` for the bar of the viewer, `lines`, which lie over it, and a `list` of the standpoints, which follows it. `turned` is
 * called with the positions that the viewer is to show beside the mesh.
 */
export function standpointMarks(viewer, standpoints, turned) {
  const lines = drawing("sights", standpoints.length);
  const title = standpoints.length === 1 ? "Where one more photo helps" : `Where ${standpoints.length} more photos help`;
  const tool = h("button", { type: "button", "aria-pressed": "false", onclick: () => turn(!isOn) }, title);
  const entries = standpoints.map((one, at) => h("li", {},
    h("a", { href: one.picture, target: "_blank", rel: "noopener" },
      h("img", { src: one.picture, alt: `Standpoint ${at + 1}, marked in ${one.nearestPhoto}`, loading: "lazy" })),
    h("p", {}, `${one.text}.`)));
  const list = h("ol", { class: "standpoints", hidden: true }, entries);
  let isOn = false;

  function turn(on) {
    isOn = on;
    tool.setAttribute("aria-pressed", String(on));
    list.hidden = !on;
    lines.classList.toggle("shown", on);
    for (const old of viewer.querySelectorAll(".standpoint, .sight")) old.remove();
    if (on) standpoints.forEach(mark);
    turned(on ? standpoints.map((one) => one.position) : []);
    requestAnimationFrame(draw);
  }

  function mark(one, at) {
    const target = one.position.map((place, axis) => place + one.distance * one.direction[axis]);
    viewer.append(
      h("button", {
        type: "button", class: "standpoint", slot: `hotspot-standpoint-${at}`, "data-position": one.position.join(" "), title: one.text,
        "aria-label": `Standpoint ${at + 1}`, onclick: () => entries[at].scrollIntoView({ block: "nearest", behavior: "smooth" }),
      }, String(at + 1)),
      h("span", { class: "sight", slot: `hotspot-sight-${at}`, "data-position": target.join(" ") }));
  }

  function draw() {
    if (!isOn) return;
    [...lines.children].forEach((line, at) => ["standpoint", "sight"].forEach((end, place) => {
      const shown = viewer.queryHotspot(`hotspot-${end}-${at}`)?.canvasPosition;
      if (!shown) return;
      line.setAttribute(`x${place + 1}`, shown.x);
      line.setAttribute(`y${place + 1}`, shown.y);
    }));
  }

  viewer.addEventListener("camera-change", () => requestAnimationFrame(draw));
  return { tool, lines, list };
}

function inSpace(vector) {
  return Array.isArray(vector) && vector.length === 3 && vector.every(Number.isFinite);
}
