// Measuring: the distance between two points that the user places on the mesh.

import { drawing, h, setText } from "./dom.js";
import { length } from "./format.js";

const STILL = 5; // px: a pointer that moves further turns the mesh

/**
 * Return `tools` for the bar of the viewer, and `lines`, which lie over it. `metres`: whether the mesh is in metres; otherwise the
 * user can enter the real length of one distance.
 */
export function measuring(viewer, metres) {
  const lines = drawing("distances", 1);
  const [line] = lines.children;
  const toggle = h("button", { type: "button", "aria-pressed": "false", onclick: () => turn(!isOn) }, "Measure");
  const middle = h("button", { type: "button", hidden: true, onclick: inTheMiddle }, "Point in the middle");
  const said = h("output", { class: "distance" });
  const real = h("input", { type: "number", id: "real-length", min: 0, step: "any", inputmode: "decimal", onchange: scale });
  const known = h("label", { for: "real-length", class: "real", hidden: true }, "is really ", real, " cm");
  let isOn = false;
  let points = []; // positions on the mesh
  let unit = metres ? 1 : 0; // metres of a unit of the mesh; 0: unknown
  let pressed = null;

  function turn(on) {
    isOn = on;
    toggle.setAttribute("aria-pressed", String(on));
    viewer.classList.toggle("measuring", on);
    viewer.disableTap = on; // which moves the camera to the point
    middle.hidden = !on;
    put([]);
  }

  function put(next) {
    points = next;
    for (const old of viewer.querySelectorAll(".point")) old.remove();
    points.forEach((point, place) => viewer.append(h("span", {
      class: "point", slot: `hotspot-measure-${place}`, "data-position": `${point.x} ${point.y} ${point.z}`,
    })));
    tell();
    requestAnimationFrame(draw);
  }

  function place(x, y) {
    const hit = viewer.positionAndNormalFromPoint(x, y);
    if (!hit) {
      setText(said, "There is no surface at that point.");
      return;
    }
    put(points.length === 1 ? [points[0], hit.position] : [hit.position]);
  }

  function inTheMiddle() {
    const box = viewer.getBoundingClientRect();
    place(box.x + box.width / 2, box.y + box.height / 2);
  }

  function distance() {
    const [one, other] = points;
    return other ? Math.hypot(one.x - other.x, one.y - other.y, one.z - other.z) : 0;
  }

  function tell() {
    const found = distance();
    known.hidden = metres || !found;
    if (!isOn) setText(said, "");
    else if (!points.length) setText(said, "Click a first point of the mesh.");
    else if (!found) setText(said, "Click a second point.");
    else if (unit) setText(said, length(found * unit));
    else setText(said, "The scale is unknown. This distance");
  }

  function scale() {
    const [found, wanted] = [distance(), Number(real.value) / 100];
    if (found && wanted > 0) unit = wanted / found;
    tell();
  }

  function draw() {
    const ends = points.map((_, at) => viewer.queryHotspot(`hotspot-measure-${at}`)?.canvasPosition).filter(Boolean);
    lines.classList.toggle("two", ends.length === 2);
    ends.forEach((end, at) => {
      line.setAttribute(`x${at + 1}`, end.x);
      line.setAttribute(`y${at + 1}`, end.y);
    });
  }

  viewer.addEventListener("pointerdown", (event) => {
    pressed = [event.clientX, event.clientY];
  });
  viewer.addEventListener("click", (event) => {
    const moved = pressed ? Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) : 0;
    if (isOn && moved < STILL) place(event.clientX, event.clientY);
  });
  viewer.addEventListener("camera-change", () => requestAnimationFrame(draw));
  viewer.addEventListener("load", () => turn(false)); // another mesh
  return { tools: [toggle, middle, said, known], lines };
}
