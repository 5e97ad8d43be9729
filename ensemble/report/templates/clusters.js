"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("content").textContent);
  const FIRST = 24, CLUSTERS = 60, SINGLES = 120;

  // Names are text from strangers: never markup, and no sign that hides or turns around what stands beside it.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;
  const clean = (text) => text.replace(HIDDEN, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  const make = (kind, settings = {}, ...inside) => {
    const found = document.createElement(kind);
    for (const [name, value] of Object.entries(settings)) found[name] = value;
    found.append(...inside);
    return found;
  };
  if (data.height) document.documentElement.style.setProperty("--height", `${data.height}px`);

  const named = (row) => {
    const text = clean(data.names[row]);
    return make("bdi", { title: text }, text);
  };
  const image = (row) => {
    const picture = data.pictures[row];
    const caption = make("figcaption", {}, named(row));
    if (!picture) return make("figure", { className: "image none" }, caption);
    const shown = make("img", { src: picture, alt: clean(data.names[row]), loading: "lazy" });
    return make("figure", { className: "image" }, shown, caption);
  };
  const number = (value) => String(Number(value.toPrecision(4)));

  // ---- answers ------------------------------------------------------------------------------------------------
  const key = (one, other) => `${Math.min(one, other)},${Math.max(one, other)}`;
  const answers = new Map(data.links.map(([one, other, answer]) => [key(one, other), answer]));
  const before = answers.size;
  let changed = 0;
  const watching = new Map();
  const told = () => {
    const added = `${changed} ${changed === 1 ? "answer" : "answers"} given here`;
    $("said").textContent = before ? `${added}, ${before} from before` : added;
    $("save").disabled = answers.size === 0;
  };
  const say = (one, other, answer) => {
    const pair = key(one, other);
    if (answers.get(pair) === answer) answers.delete(pair);
    else answers.set(pair, answer);
    const first = new Map(data.links.map(([a, b, was]) => [key(a, b), was]));
    changed = [...new Set([...first.keys(), ...answers.keys()])].filter((p) => first.get(p) !== answers.get(p)).length;
    for (const show of watching.get(pair) ?? []) show();
    told();
  };
  const buttons = (one, other, seen) => {
    const pair = key(one, other);
    const made = [["yes", "One"], ["no", "Two"]].map(([answer, text]) => {
      const label = `${text === "One" ? "Yes, one" : "No, two"}: ${clean(data.names[one])} and ${clean(data.names[other])}`;
      const button = make("button", { type: "button", ariaLabel: label }, text === "One" ? "Yes, one" : "No, two");
      button.dataset.answer = answer;
      button.addEventListener("click", () => say(one, other, answer));
      return button;
    });
    const show = () => {
      for (const button of made) button.ariaPressed = String(answers.get(pair) === button.dataset.answer);
      seen?.(answers.get(pair));
    };
    watching.set(pair, [...(watching.get(pair) ?? []), show]);
    show();
    return made;
  };
  const cell = (text) => (/[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  $("save").addEventListener("click", () => {
    const lines = [...answers].map(([pair, answer]) => {
      const [one, other] = pair.split(",").map((row) => cell(data.names[Number(row)]));
      return `${one},${other},${answer}\n`;
    });
    const text = "image,other,answer\n" + lines.join("");
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" })), download: "links.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  // ---- what is shown ------------------------------------------------------------------------------------------
  const several = data.parts.length > 1;
  const titled = (into, part) => several && into.append(make("h3", {}, make("bdi", {}, part.name)));
  const some = (into, items, first, draw) => {
    let at = 0;
    const more = make("button", { type: "button", className: "more" });
    const end = into.tagName === "UL" ? make("li", {}, more) : more;
    const next = () => {
      end.remove();
      for (const item of items.slice(at, at + first)) into.append(draw(item));
      at += first;
      if (at >= items.length) return;
      more.textContent = `${items.length - at} more`;
      into.append(end);
    };
    more.addEventListener("click", next);
    next();
  };

  const doubts = data.parts.flatMap((part) => part.doubts.map((pair) => [part, pair]));
  if (!doubts.length) $("pairs").append(make("p", { className: "soft" }, "There is no pair to ask about."));
  some($("pairs"), doubts, CLUSTERS, ([part, [one, other, far, together]]) => {
    const box = make("article", { className: "pair" });
    const where = several ? `${part.name}: ` : "";
    const limit = part.threshold === null ? "" : `, threshold ${number(part.threshold)}`;
    const said = `${where}${together ? "one cluster" : "two clusters"}, distance ${number(far)}${limit}`;
    const ask = make("div", { className: "ask" });
    ask.append(...buttons(one, other, (answer) => (box.className = answer ? `pair ${answer}` : "pair")));
    box.append(make("div", { className: "both" }, image(one), image(other)), make("p", {}, said), ask);
    return box;
  });

  for (const part of data.parts) {
    titled($("groups"), part);
    some($("groups"), part.clusters, CLUSTERS, (cluster) => {
      const box = make("article", { className: "cluster" });
      const row = make("div", { className: "row" });
      const holding = make("ul", { className: "holding" });
      box.append(make("h3", {}, make("bdi", {}, clean(cluster.called)), `: ${cluster.images.length} images`), row, holding);
      some(row, cluster.images, FIRST, image);
      some(holding, cluster.holding, 2, ([one, other, far]) =>
        make("li", {}, `${number(far)}`, named(one), "and", named(other), ...buttons(one, other)));
      return box;
    });
  }
  for (const part of data.parts) {
    titled($("singles"), part);
    const row = make("div", { className: "row" });
    $("singles").append(make("p", { className: "soft" }, `${part.alone.length} images are alone.`), row);
    some(row, part.alone, SINGLES, image);
  }
  told();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
