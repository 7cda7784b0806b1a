// Choice of a quality: what each gives, and how long it takes here.

import { request } from "./api.js";
import { h, setText } from "./dom.js";
import { about } from "./format.js";

const KNOWN = { preview: "a first look", fast: "for the web", standard: "fine detail", high: "the finest" };

/** Return whether these are the qualities that the gallery has estimates of. */
export function areKnown(names) {
  return Array.isArray(names) && names.length > 1 && names.every((name) => name in KNOWN);
}

/** Return `element`, a group of radio buttons, `value()`, and `expect(photos, queue)`, which shows how long each takes; 0: unknown. */
export function qualityChoice(rule, chosen) {
  const usual = rule.default ?? "standard";
  const rows = rule.enum.map((name) => {
    const input = h("input", { type: "radio", name: "quality", value: name, checked: name === (chosen ?? usual) });
    const [time, gives] = [h("span", { class: "time" }), h("span", { class: "meta" }, KNOWN[name])];
    return { name, time, gives, input, element: h("label", { class: "quality" }, input, h("span", { class: "name" }, name), time, gives) };
  });
  let last = "";

  async function expect(photos, queue) {
    const wanted = `/api/estimates?${new URLSearchParams({ photos: photos || 1, queue })}`;
    if (wanted === last) return;
    last = wanted;
    const { qualities } = await request("GET", wanted).catch(() => ({ qualities: [] })); // the form works without
    if (wanted !== last) return;
    for (const row of rows) {
      const found = qualities.find((one) => one.name === row.name);
      setText(row.time, photos && found?.seconds ? `about ${about(found.seconds)} here` : "");
      setText(row.gives, [KNOWN[row.name], found?.gives].filter(Boolean).join(": "));
    }
  }

  const element = h("fieldset", { class: "qualities" }, h("legend", {}, "Quality"), rows.map((row) => row.element));
  const value = () => {
    const name = rows.find((row) => row.input.checked)?.name;
    return name === usual && chosen === undefined ? undefined : name; // the model's own default stays unwritten
  };
  return { element, value, expect };
}
