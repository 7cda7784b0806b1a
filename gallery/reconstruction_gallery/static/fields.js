// Fields of a job: model, its parameters and queue, as selects made from what the operator publishes.

import { request } from "./api.js";
import { field, h } from "./dom.js";
import { label } from "./format.js";
import { areKnown, qualityChoice } from "./qualities.js";

const USUAL = "photogrammetry";

/** Return what the operator publishes: `pools`, and for each with live workers their `models`. Unknown if it publishes nothing. */
async function published() {
  const pools = new Map(); // name -> Map of models, by name; null without live workers
  try {
    const { installations } = await request("GET", "/api/installation");
    for (const info of installations.map((text) => JSON.parse(text))) {
      for (const pool of info.pools ?? []) if (!pools.has(pool)) pools.set(pool, null);
      for (const { queues, models } of info.workers ?? []) {
        for (const pool of new Set((queues ?? []).map((queue) => queue.replace(/-(high|low)$/, "")))) {
          pools.set(pool, new Map([...(pools.get(pool) ?? []), ...Object.entries(models ?? {})]));
        }
      }
    }
  } catch {
    // the chart does not let users read it: any model may exist
  }
  return pools;
}

/**
 * Return `element`, which fills itself, `spec()`: the chosen fields of a spec, and `expect(photos)`, which shows how long that many
 * take; 0: unknown. `given`: the fields of an earlier job.
 */
export function jobFields(given = {}) {
  const element = h("div", { class: "fields" }, h("p", { class: "meta", role: "status" }, "Loading the models…"));
  let read = () => ({});
  let photos = 0;
  let quality = null; // the choice of a quality, of a model with estimates
  let queueNow = "celery";
  const expect = (count) => {
    photos = count;
    quality?.expect(photos, queueNow);
  };
  const ready = published().then((pools) => {
    const queue = given.queue ?? (pools.get("celery") ? "celery" : [...pools.keys()].find((one) => pools.get(one)) ?? "celery");
    const chosen = { queue, model: given.modelType };
    const below = h("div", { class: "fields" });

    function choose() {
      const models = pools.get(chosen.queue) ?? new Map([...pools.values()].flatMap((one) => [...(one ?? [])]));
      const names = [...models.keys()].sort();
      chosen.model ??= names.includes(USUAL) || !names.length ? USUAL : names[0];
      const model = names.length
        ? select("model", [...names, ...names.includes(chosen.model) ? [] : [chosen.model]].map((name) =>
          [name, name + (models.get(name)?.simulated ? " (simulation)" : models.has(name) ? "" : " (no worker has it now)")]), chosen.model)
        : h("input", { id: "model", required: true, autocomplete: "off", value: chosen.model });
      const schema = models.get(chosen.model)?.parameters?.properties
        ?? (names.length ? {} : { quality: { enum: ["preview", "fast", "standard", "high"] } });
      const values = chosen.model === given.modelType ? given.parameters ?? {} : {};
      const hasEstimates = chosen.model === USUAL && areKnown(schema.quality?.enum);
      quality = hasEstimates ? qualityChoice(schema.quality, values.quality) : null;
      queueNow = chosen.queue;
      expect(photos);
      const make = (name, rule) => (name === "quality" && quality ? [quality.element, quality.value] : control(name, rule, values[name]));
      const controls = Object.entries(schema).map(([name, rule]) => [name, make(name, rule)]).filter(([, one]) => one);
      const rows = controls.map(([name, [input]]) => (input.tagName === "FIELDSET" ? input : field(label(name), input)));
      const others = controls.flatMap(([name], place) => (name === "quality" ? [] : rows[place]));
      model.addEventListener("change", () => {
        chosen.model = model.value;
        choose();
        document.getElementById("model").focus();
      });
      below.replaceChildren(field("Model", model), ...rows.filter((row) => !others.includes(row)),
        ...(others.length ? [h("details", {}, h("summary", {}, "More parameters"), h("div", { class: "fields" }, others))] : []));
      read = () => {
        const kept = Object.entries(values).filter(([name]) => !controls.some(([one]) => one === name));
        const set = controls.map(([name, [, value]]) => [name, value()]).filter(([, value]) => value !== undefined);
        const parameters = Object.fromEntries([...kept, ...set]);
        return {
          modelType: model.value,
          ...(pools.size || given.queue ? { queue: chosen.queue } : {}),
          ...(Object.keys(parameters).length ? { parameters } : {}),
        };
      };
    }

    const rows = [];
    if (pools.size > 1 || (pools.size && !pools.has(queue))) {
      const queues = select("queue", [...new Set([queue, ...pools.keys()])].sort().map((one) =>
        [one, one + (pools.get(one) ? "" : " (no workers now)")]), queue);
      queues.addEventListener("change", () => {
        chosen.queue = queues.value;
        choose();
      });
      rows.push(field("Queue", queues));
    }
    element.replaceChildren(below, ...rows);
    choose();
  });
  return { element, ready, spec: () => read(), expect };
}

/** Return an input for a parameter and a function that reads it; null for a kind that a form cannot show. */
function control(name, rule, value) {
  const id = `parameter-${name}`;
  if (Array.isArray(rule.enum)) {
    const options = rule.enum.map((one) => [JSON.stringify(one), String(one)]);
    const input = select(id, [["", "Default"], ...options], value === undefined ? "" : JSON.stringify(value));
    return [input, () => (input.value ? JSON.parse(input.value) : undefined)];
  }
  if (rule.type === "boolean") return control(name, { enum: [true, false] }, value);
  if (["integer", "number"].includes(rule.type)) {
    const range = { min: rule.minimum, max: rule.maximum, step: rule.type === "integer" ? 1 : "any" };
    const hint = rule.minimum !== undefined && rule.maximum !== undefined ? `Default (${rule.minimum} to ${rule.maximum})` : "Default";
    const input = h("input", { id, type: "number", ...range, placeholder: hint, value });
    return [input, () => (input.value === "" ? undefined : Number(input.value))];
  }
  if (rule.type !== "string") return null;
  const input = h("input", { id, placeholder: "Default", autocomplete: "off", maxlength: rule.maxLength, value });
  return [input, () => input.value || undefined];
}

function select(id, options, value) {
  return h("select", { id }, options.map(([one, text]) => h("option", { value: one, selected: one === value }, text)));
}
