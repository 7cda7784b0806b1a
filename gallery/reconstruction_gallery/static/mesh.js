// The mesh in 3D: the viewer is loaded when there is one. The first view shows it as large as its box allows.

import { h } from "./dom.js";
import { measuring } from "./measure.js";
import { standpointMarks } from "./standpoints.js";

const VIEW = { theta: 0, phi: Math.PI / 3, fov: Math.PI / 6 }; // from the front, 30° above the ground
const FILLED = 0.94; // share of the box
const ROUNDS = 4;
const POINTS = 8000; // of a mesh that are looked at

/** Convert the shown mesh for phones of Apple, in this browser. */
export async function saveUsdz(viewer, name) {
  const href = await viewer.prepareUSDZ();
  h("a", { href, download: `${name}.usdz` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/**
 * Show the mesh at `address` in `place`, with tools. `metres`: whether its units are metres; null: there is nothing to measure.
 * `standpoints`: a promise of where more photos would help.
 */
export async function showMesh(place, address, label, metres = null, standpoints = []) {
  try {
    await import("./vendor/model-viewer.min.js");
  } catch {
    return; // the previews do not need it
  }
  const element = h("model-viewer", {
    src: address, alt: label, "camera-controls": true, "touch-action": "pan-y", "interaction-prompt": "none", "shadow-intensity": 0.6,
    ar: true, "ar-modes": "webxr quick-look", // phones; a scene viewer of its own could not sign in
    "field-of-view": `${VIEW.fov}rad`, "max-field-of-view": `${VIEW.fov}rad`,
  }, h("div", { class: "loading", slot: "progress-bar" }, "Loading the mesh…"));
  const full = h("button", { type: "button", onclick: () => place.requestFullscreen() }, "Full screen");
  const measure = metres === null ? null : measuring(element, metres);
  let beside = []; // positions that are shown beside the mesh
  let touched = false;
  const places = await standpoints;
  const marks = places.length ? standpointMarks(element, places, (positions) => {
    beside = positions;
    if (element.loaded) fill(element, beside);
  }) : null;
  place.replaceChildren(h("div", { class: "stage" }, element, marks?.lines, measure?.lines), h("div", { class: "viewer-bar" },
    h("span", {}, "Drag to turn, scroll to zoom, or use the arrow keys."),
    h("span", { class: "actions" }, measure?.tools, marks?.tool, full)), ...(marks ? [marks.list] : []));
  place.hidden = false;
  element.addEventListener("camera-change", ({ detail }) => {
    touched ||= detail.source === "user-interaction";
  });
  element.addEventListener("load", () => {
    element.querySelector(".loading").replaceChildren(); // without it the viewer would show a bar of its own
    fill(element, beside);
  });
  new ResizeObserver(() => element.loaded && !touched && fill(element, beside)).observe(element);
}

/** Return some points of the shown mesh; the corners of the box around it if the viewer does not reveal them. */
function outline(element) {
  const scene = element[Object.getOwnPropertySymbols(element).find((one) => one.description === "scene")];
  const found = [];
  scene?.model?.traverse?.((node) => {
    const position = node.geometry?.attributes?.position;
    if (!position) return;
    const step = Math.max(1, Math.floor(position.count / POINTS));
    for (let at = 0; at < position.count; at += step) {
      const point = node.localToWorld(node.position.clone().fromBufferAttribute(position, at));
      found.push(scene.target.worldToLocal(point).toArray());
    }
  });
  if (found.length && found.flat().every(Number.isFinite)) return found;
  const size = element.getDimensions();
  const center = element.getBoundingBoxCenter();
  return [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ["x", "y", "z"].map((axis, place) =>
    center[axis] + (bits & (1 << place) ? 0.5 : -0.5) * size[axis]));
}

/** Move the camera so far that the mesh just fits, in the middle, with the positions `beside` it. */
function fill(element, beside) {
  const { theta, phi, fov } = VIEW;
  const center = element.getBoundingBoxCenter();
  const points = [...outline(element), ...beside];
  const aspect = element.clientWidth / element.clientHeight;
  const tall = Math.tan(fov / 2) * Math.max(1, element.getIdealAspect() / aspect) * FILLED; // as the viewer widens it for portraits
  const tangents = [tall * aspect, tall];
  const toCamera = [Math.sin(phi) * Math.sin(theta), Math.cos(phi), Math.sin(phi) * Math.cos(theta)];
  const right = [Math.cos(theta), 0, -Math.sin(theta)];
  const up = [-Math.cos(phi) * Math.sin(theta), Math.sin(phi), -Math.cos(phi) * Math.cos(theta)];
  const target = [center.x, center.y, center.z];
  const look = () => points.map((point) => point.map((one, axis) => one - target[axis]))
    .map((offset) => [right, up, toCamera].map((axis) => dot(offset, axis)));
  const fitting = (seen) => Math.max(...seen.map(([x, y, z]) => z + Math.max(Math.abs(x) / tangents[0], Math.abs(y) / tangents[1])));
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = look();
    const radius = fitting(seen);
    for (const [place, axis] of [right, up].entries()) {
      const sides = seen.map((point) => point[place] / (radius - point[2]));
      const shift = radius * ((Math.max(...sides) + Math.min(...sides)) / 2);
      axis.forEach((one, at) => { target[at] += shift * one; });
    }
  }
  const radius = fitting(look());
  if (!(radius > 0)) return; // an empty scene
  element.cameraTarget = target.map((one) => `${one}m`).join(" ");
  element.minCameraOrbit = `auto auto ${radius / 20}m`;
  element.maxCameraOrbit = `auto auto ${radius * 3}m`;
  element.cameraOrbit = `${theta}rad ${phi}rad ${radius}m`;
  element.jumpCameraToGoal();
}

function dot(one, other) {
  return one.reduce((sum, value, axis) => sum + value * other[axis], 0);
}
