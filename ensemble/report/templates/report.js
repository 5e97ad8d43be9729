"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("content").textContent);
  const ROW = 52, MEANING = ["wrong", "good", "junk", "none"], SIGNS = ["✗", "✓", "○", ""];
  const WORDS = ["wrong", "right", "junk", ""];

  // ---- what the file holds ------------------------------------------------------------------------------------
  const bytes = (text) => {
    const decoded = atob(text), found = new Uint8Array(decoded.length);
    for (let i = 0; i < found.length; i++) found[i] = decoded.charCodeAt(i);
    return found;
  };
  const views = data.views.map((v) => ({
    ...v,
    rows: new Int32Array(bytes(v.rows).buffer),
    distances: new Float32Array(bytes(v.distances).buffer),
    relation: new Int8Array(bytes(v.relation).buffer),
    ap: v.ap === null ? null : new Float32Array(bytes(v.ap).buffer),
    uncertain: new Float32Array(bytes(v.uncertain).buffer),
    hit: v.hit === null ? null : new Int32Array(bytes(v.hit).buffer),
  }));
  const queries = data.queries, images = data.images, count = queries.name.length;
  const [queryPictures, imagePictures] = data.pictures.length ? data.pictures : [null, null];
  const labelled = views.some((v) => v.ap !== null);
  const tracked = images.track !== undefined;
  const several = data.runs.length > 1;

  // Names are text from strangers: never markup, and no sign that hides or turns around what stands beside it.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;
  const clean = (text) => text.replace(HIDDEN, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  const percent = (value) => (100 * value).toFixed(1);
  const signed = (value) => (value < 0 ? "−" : "+") + (100 * Math.abs(value)).toFixed(1);
  const short = (value) =>
    Number.isInteger(value) ? String(value) : Number.isFinite(value) ? value.toPrecision(4) : value === Infinity ? "∞" : "";
  // A list that was rewritten has places in it, from 0 on, and no distances.
  const far = (item, before) =>
    !Number.isFinite(item.distance) ? "" : item.placed ? `place ${item.distance + 1}` : before + short(item.distance);
  const known = (column, row) => column !== undefined && column[row] !== -1 && column[row] !== "";

  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {}))
      if (value !== undefined && value !== null) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const name = (view) => (several ? clean(data.runs[view.run].title) + " · " : "") + clean(view.label);

  // ---- what is looked at --------------------------------------------------------------------------------------
  const last = views.length - 1;
  const firstOther = () => {
    if (several) return views.findLastIndex((v) => v.run === 0);
    const joined = views.findIndex((v, i) => i < last && v.kind !== "model"); // what all steps together changed
    return joined >= 0 ? joined : last > 0 ? last - 1 : -1;
  };
  const state = { show: last, with: firstOther(), sort: "given", filter: "all", camera: "", text: "", fold: false, query: 0 };
  let shown = [];

  // Of runs that were scored by different rules, queries are compared by what is in their lists.
  const fair = () => labelled && state.with >= 0 && (data.fair || views[state.show].run === views[state.with].run);
  const ap = (view, query) => (views[view].ap ? views[view].ap[query] : NaN);
  const gain = (query) => (!fair() ? 0 : (ap(state.show, query) || 0) - (ap(state.with, query) || 0));
  // Without labels a list has changed by what is new in it.
  const moved = (query) => {
    if (state.with < 0) return 0;
    if (fair()) return Math.abs(gain(query));
    const a = views[state.show], b = views[state.with];
    const old = new Set(b.rows.subarray(query * b.places, (query + 1) * b.places));
    let fresh = 0;
    for (let p = 0; p < a.places; p++) fresh += old.has(a.rows[query * a.places + p]) ? 0 : 1 + (a.places - p) / 1e3;
    return fresh;
  };
  const wrongFirst = (query) => {
    const view = views[state.show];
    for (let p = 0; p < view.places; p++) {
      const relation = view.relation[query * view.places + p];
      if (view.rows[query * view.places + p] >= 0 && relation !== 2) return relation === 0;
    }
    return false;
  };

  const FILTERS = [["all", "all"]];
  if (labelled) FILTERS.push(["worst", "worst tenth"], ["wrong", "wrong at rank 1"]);
  if (views.length > 1) FILTERS.push(["changed", "most changed tenth"]);
  if (labelled && views[last].ap && views[last].ap.some(Number.isNaN)) FILTERS.push(["nothing", "without a match"]);
  const SORTS = [["given", "as given"]];
  if (labelled) SORTS.push(["low", "lowest AP first"], ["high", "highest AP first"]);
  if (labelled && views.length > 1) SORTS.push(["gain", "gained most first"], ["loss", "lost most first"]);
  if (views.length > 1) SORTS.push(["moved", "changed most first"]);
  if (views.some((v) => !v.uncertain.every(Number.isNaN))) SORTS.push(["uncertain", "most uncertain first"]);
  SORTS.push(["name", "name"]);

  const collator = new Intl.Collator("en", { numeric: true });
  const by = (key) => (a, b) => key(a) - key(b) || a - b;
  const orders = {
    given: (a, b) => a - b,
    low: by((q) => { const v = ap(state.show, q); return Number.isNaN(v) ? 2 : v; }),
    high: by((q) => { const v = ap(state.show, q); return Number.isNaN(v) ? 2 : -v; }),
    gain: by((q) => -gain(q)),
    loss: by((q) => gain(q)),
    moved: by((q) => -moved(q)),
    uncertain: by((q) => { const v = views[state.show].uncertain[q]; return Number.isNaN(v) ? 1 : -v; }),
    name: (a, b) => collator.compare(queries.name[a], queries.name[b]) || a - b,
  };
  const tenth = (chosen, value) => {
    const order = chosen.filter((q) => value(q) > -Infinity).sort((a, b) => value(b) - value(a) || a - b);
    return new Set(order.slice(0, Math.max(1, Math.ceil(order.length / 10))));
  };

  function choose() {
    let chosen = Array.from({ length: count }, (_, q) => q);
    if (state.camera !== "") chosen = chosen.filter((q) => String(queries.cam[q]) === state.camera);
    const text = state.text.toLowerCase();
    if (text) chosen = chosen.filter((q) => queries.name[q].toLowerCase().includes(text));
    if (state.filter === "wrong") chosen = chosen.filter(wrongFirst);
    if (state.filter === "nothing") chosen = chosen.filter((q) => Number.isNaN(ap(state.show, q)));
    if (state.filter === "worst" || state.filter === "changed") {
      const value = state.filter === "worst"
        ? (q) => (Number.isNaN(ap(state.show, q)) ? -Infinity : -ap(state.show, q))
        : (q) => (moved(q) > 0 ? moved(q) : -Infinity);
      const kept = tenth(chosen, value);
      chosen = chosen.filter((q) => kept.has(q));
    }
    shown = chosen.sort(orders[state.sort]);
    $("count").textContent = shown.length === count ? `${count} queries` : `${shown.length} of ${count} queries`;
  }

  // ---- the list of queries: only the rows in sight exist --------------------------------------------------------
  const list = $("list"), rows = $("rows");
  const key = (query) => new URLSearchParams({ query: queries.name[query] }).toString();
  const address = (query) => {
    const view = state.show === last ? "" : `&show=${state.show + 1}`;
    return `#${key(query)}${view}${state.with === firstOther() ? "" : `&with=${state.with + 1}`}`;
  };
  rows.style.setProperty("--pic-w", `${Math.round(Math.min(42 * data.shape, 56))}px`);
  const COLOURS = ["var(--wrong)", "var(--good)", "var(--junk)", "var(--line)"];

  function row(query, place) {
    const view = views[state.show], picture = queryPictures && queryPictures[query];
    const link = make("a", { href: address(query), class: picture ? "has" : null });
    if (picture) link.append(make("img", { src: picture, alt: "" }));
    link.append(make("bdi", { class: "t" }, clean(queries.name[query])));
    if (view.ap) {
      const value = view.ap[query], none = Number.isNaN(value);
      link.append(make("span", { class: "ap" }, none ? "no match" : `AP ${percent(value)}`));
      const hits = make("span", { class: "hits", "aria-hidden": "true" }), stops = [];
      for (let p = 0; p < view.places; p++) {
        const there = view.rows[query * view.places + p] >= 0;
        const colour = there ? COLOURS[view.relation[query * view.places + p]] : "transparent";
        stops.push(`${colour} ${(100 * p) / view.places}% ${(100 * (p + 0.86)) / view.places}%`);
        stops.push(`transparent ${(100 * (p + 0.86)) / view.places}% ${(100 * (p + 1)) / view.places}%`);
      }
      hits.style.background = `linear-gradient(90deg, ${stops.join(",")})`;
      link.append(hits);
      if (fair() && !none) {
        const change = gain(query), class_ = Math.abs(change) < 5e-4 ? "soft" : change > 0 ? "up" : "down";
        link.append(make("span", { class: `d ${class_}` }, class_ === "soft" ? "±0" : signed(change)));
      }
    } else {
      link.append(make("span", { class: "plain" }, facts(queries, query).join(" · ")));
    }
    if (query === state.query) link.setAttribute("aria-current", "true");
    const item = make("li", { "aria-setsize": shown.length, "aria-posinset": place + 1 }, link);
    item.style.top = `${place * ROW}px`;
    link.dataset.query = query;
    return item;
  }

  function paint() {
    rows.style.height = `${shown.length * ROW}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 6);
    const end = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 6);
    const focused = rows.contains(document.activeElement);
    rows.replaceChildren(...shown.slice(first, end).map((query, i) => row(query, first + i)));
    if (focused) rows.querySelector("[aria-current]")?.focus({ preventScroll: true });
  }
  let waiting = false;
  list.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  }, { passive: true });

  function reveal() {
    const top = shown.indexOf(state.query) * ROW;
    if (top < 0) return;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  }

  // ---- the chosen query -----------------------------------------------------------------------------------------
  const facts = (table, at) => {
    const found = [];
    if (known(table.pid, at)) found.push(`identity ${table.pid[at]}`);
    if (known(table.cam, at)) found.push(`camera ${table.cam[at]}`);
    if (known(table.track, at)) found.push(`track ${table.track[at]}`);
    if (known(table.frame, at)) found.push(`frame ${table.frame[at]}`);
    return found;
  };

  // Tiles of a list: {image, place, relation, distance, key, many}; those of one track folded into the first.
  function tiles(view, query) {
    const found = [], tracks = new Map();
    for (let p = 0; p < view.places; p++) {
      const at = query * view.places + p, image = view.rows[at];
      if (image < 0) continue;
      const track = state.fold && known(images.track, image) ? images.track[image] : null;
      if (track !== null && tracks.has(track)) { tracks.get(track).many++; continue; }
      const tile = { image, place: p + 1, relation: view.relation[at], distance: view.distances[at], placed: view.placed, many: 1 };
      tile.key = track === null ? `i${image}` : `t${track}`;
      if (track !== null) tracks.set(track, tile);
      found.push(tile);
    }
    return found;
  }

  function tile(item, other) {
    const text = clean(images.name[item.image]);
    const picture = imagePictures && imagePictures[item.image];
    const pic = make("span", { class: "pic" });
    if (picture) pic.append(make("img", { src: picture, alt: "" }));
    else pic.append(make("span", { class: "no" }, make("bdi", {}, text)));
    if (SIGNS[item.relation]) pic.append(make("span", { class: "mark" }, SIGNS[item.relation]));
    if (item.many > 1) pic.append(make("span", { class: "many" }, `×${item.many}`));
    const where = [];
    if (known(images.cam, item.image)) where.push(`c${images.cam[item.image]}`);
    if (known(images.track, item.image)) where.push(`t${images.track[item.image]}`);
    const label = [`place ${item.place}`, text, WORDS[item.relation], ...facts(images, item.image)];
    if (item.many > 1) label.push(`${item.many} images of the track`);
    if (far(item, "")) label.push(item.placed ? `${far(item)} as rewritten` : far(item, "distance "));
    const before = other && other.get(item.key);
    if (other) label.push(before ? `place ${before.place} in the other list` : "not in the other list");
    const button = make("button", { type: "button", class: "tile", "aria-label": label.filter(Boolean).join(", ") },
      pic,
      make("span", { class: "cap" }, make("b", {}, String(item.place)), ` ${where.join(" ")}`),
      make("span", { class: "cap s" }, far(item, "") || short(item.distance) || "\u00a0"));
    const tell = () => {
      const parts = [make("b", {}, `Place ${item.place}: `), make("bdi", {}, text)];
      $("tell").replaceChildren(...parts, ` · ${label.slice(2).filter(Boolean).join(" · ")}`);
    };
    button.addEventListener("focus", tell);
    button.addEventListener("mouseenter", tell);
    button.addEventListener("click", tell);
    return make("li", { class: MEANING[item.relation] }, button);
  }

  const heading = (view, query) => {
    const value = view.ap ? view.ap[query] : NaN;
    const text = Number.isNaN(value) ? "" : ` AP ${percent(value)}`;
    return make("h4", {}, name(view), make("span", {}, text));
  };

  function detail() {
    const query = state.query, box = $("detail"), scrolled = box.querySelector(".strips")?.scrollLeft || 0;
    if (!shown.length) {
      box.replaceChildren(make("p", {}, "No query fits."));
      return;
    }
    const view = views[state.show], beside = state.with >= 0 ? views[state.with] : null;
    const shape = data.pictures.length ? data.shape : 0.86;
    const height = data.pictures.length ? (shape > 1 ? (beside ? 66 : 84) : beside ? 104 : 118) : 76;
    const width = data.pictures.length ? Math.round(Math.max(58, height * shape)) : 84;
    box.style.setProperty("--tile-h", `${height}px`);
    box.style.setProperty("--tile-w", `${width}px`);

    const head = make("div", { class: "who" });
    if (queryPictures && queryPictures[query])
      head.append(make("img", { class: "pic", src: queryPictures[query], alt: "picture of the query" }));
    const words = make("div", {}, make("h3", {}, make("bdi", {}, clean(queries.name[query]))));
    words.append(make("p", {}, facts(queries, query).join(" · ") || "\u00a0"));
    if (view.ap) {
      const value = view.ap[query], line = make("p", { class: "num" });
      line.append(Number.isNaN(value) ? "no image of the gallery is right" : `AP ${percent(value)}`);
      if (view.hit && view.hit[query] >= 0) line.append(`, first right image at rank ${view.hit[query] + 1}`);
      else if (!Number.isNaN(value)) line.append(", no right image found");
      if (fair() && !Number.isNaN(value)) {
        const change = gain(query);
        line.append(", ", make("span", { class: change < 0 ? "down" : "up" }, signed(change)), ` against ${name(beside)}`);
      }
      words.append(line);
    }
    words.append(make("p", {}, make("a", { href: address(query), id: "link" }, "Link to this query")));
    const back = make("button", { type: "button", "aria-label": "previous query" }, "‹");
    const on = make("button", { type: "button", "aria-label": "next query" }, "›");
    back.addEventListener("click", () => move(-1));
    on.addEventListener("click", () => move(1));
    head.append(words, make("div", { class: "move" }, back, on));

    const strips = make("div", { class: "strips" });
    const below = tiles(view, query);
    if (beside) {
      const above = tiles(beside, query);
      const [up, down] = [above, below].map((items) => new Map(items.map((item) => [item.key, item])));
      strips.append(heading(beside, query), make("ol", { class: "strip" }, ...above.map((item) => tile(item, down))));
      strips.append(links(above, below, width), heading(view, query));
      strips.append(make("ol", { class: "strip" }, ...below.map((item) => tile(item, up))));
    } else {
      strips.append(heading(view, query), make("ol", { class: "strip wrap" }, ...below.map((item) => tile(item, null))));
    }
    if (!below.length) strips.append(make("p", {}, "Nothing is returned for this query."));
    const legend = make("p", { class: "legend" });
    if (below.some((item) => item.relation !== 3))
      for (const [class_, text] of [["good", "✓ right"], ["wrong", "✗ wrong"], ["junk", "○ junk, not counted"]]) {
        const swatch = make("i", {});
        swatch.style.borderColor = `var(--${class_})`;
        swatch.style.borderStyle = { good: "solid", wrong: "dashed", junk: "dotted" }[class_];
        legend.append(make("span", {}, swatch, text));
      }
    const tell = make("p", { class: "tell", id: "tell", "aria-live": "polite" }, "Choose an image to read about it.");
    box.replaceChildren(head, strips, tell, legend);
    strips.scrollLeft = scrolled;
  }

  // Lines from where an image stood to where it stands.
  function links(above, below, width) {
    const step = width + 8, most = Math.max(above.length, below.length, 1);
    const drawn = svg("svg", { class: "links", width: most * step, height: 54, "aria-hidden": "true" });
    const at = new Map(above.map((item, i) => [item.key, i]));
    below.forEach((item, i) => {
      if (!at.has(item.key)) return;
      const from = at.get(item.key) * step + width / 2, to = i * step + width / 2;
      drawn.append(svg("path", { class: MEANING[item.relation], d: `M${from} 0C${from} 30 ${to} 24 ${to} 54` }));
    });
    return drawn;
  }

  // ---- moving about ---------------------------------------------------------------------------------------------
  function select(query, write = true) {
    state.query = query;
    if (write) try { history.replaceState(null, "", address(query)); } catch { /* a page in a frame may not */ }
    reveal();
    paint();
    detail();
  }
  function move(by) {
    if (!shown.length) return;
    const at = shown.indexOf(state.query);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1);
    select(shown[next]);
  }
  function update(write = true) {
    choose();
    if (!shown.includes(state.query)) { state.query = shown.length ? shown[0] : 0; list.scrollTop = 0; }
    for (const id of ["show", "with", "sort", "filter", "camera"]) $(id).value = String(state[id]);
    $("fold").checked = state.fold;
    select(state.query, write);
  }

  const keys = new Map();
  function follow() {
    const given = new URLSearchParams(location.hash.slice(1));
    if (!given.has("query")) return false;
    if (!keys.size) for (let q = count - 1; q >= 0; q--) keys.set(key(q), q);
    const query = keys.get(new URLSearchParams({ query: given.get("query") }).toString());
    if (query === undefined) return false;
    const view = (text, none) => {
      const number = Number.parseInt(text, 10) - 1;
      return number >= none && number < views.length ? number : undefined;
    };
    state.show = view(given.get("show"), 0) ?? last;
    state.with = given.has("with") ? view(given.get("with"), -1) ?? firstOther() : firstOther();
    state.query = query;
    choose();
    if (!shown.includes(query)) Object.assign(state, { filter: "all", camera: "", text: "" }), ($("text").value = "");
    update(false);
    return true;
  }

  const options = (id, entries) => $(id).replaceChildren(...entries.map(([value, text]) => make("option", { value }, text)));
  options("show", views.map((v, i) => [i, `${i + 1}  ${name(v)}`]));
  options("with", [[-1, "nothing"], ...views.map((v, i) => [i, `${i + 1}  ${name(v)}`])]);
  options("sort", SORTS);
  options("filter", FILTERS);
  const cameras = [...new Set(queries.cam || [])].filter((c) => c !== "").sort((a, b) => a - b || (a < b ? -1 : 1));
  options("camera", [["", "all"], ...cameras.map((c) => [c, String(c)])]);
  $("camera-l").hidden = cameras.length < 2;
  $("camera-l").style.display = cameras.length < 2 ? "none" : "";
  $("fold-l").style.display = tracked ? "" : "none";
  for (const id of ["show", "with"]) $(id).addEventListener("change", (e) => { state[id] = Number(e.target.value); update(); });
  for (const id of ["sort", "filter", "camera"])
    $(id).addEventListener("change", (e) => { state[id] = e.target.value; list.scrollTop = 0; update(); if (shown.length) select(shown[0]); });
  $("fold").addEventListener("change", (e) => { state.fold = e.target.checked; update(); });
  $("text").addEventListener("input", (e) => { state.text = e.target.value; update(); });
  $("tools").addEventListener("submit", (e) => e.preventDefault());
  rows.addEventListener("click", (e) => {
    const link = e.target.closest("a");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    select(Number(link.dataset.query));
    rows.querySelector("[aria-current]")?.focus({ preventScroll: true });
  });
  window.addEventListener("hashchange", () => { if (follow()) $("browser").scrollIntoView(); });

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const target = e.target, inside = $("browser").contains(target);
    if (target.matches("input[type=search], select, textarea")) {
      if (e.key !== "Escape") return;
      if (state.text) (target.value = state.text = ""), update();
      target.blur();
      return;
    }
    const strip = target.closest?.(".strip"), done = () => e.preventDefault();
    if (e.key === "j" || (e.key === "ArrowDown" && inside)) done(), move(1);
    else if (e.key === "k" || (e.key === "ArrowUp" && inside)) done(), move(-1);
    else if ((e.key === "ArrowRight" || e.key === "ArrowLeft") && inside) {
      const found = strip ? [...strip.querySelectorAll(".tile")] : [...document.querySelectorAll("#detail .strip:last-of-type .tile")];
      const at = found.indexOf(target) + (e.key === "ArrowRight" ? 1 : -1);
      const next = found[strip ? Math.min(Math.max(at, 0), found.length - 1) : 0];
      if (next) done(), next.focus();
    } else if (/^[1-9]$/.test(e.key) && Number(e.key) <= views.length) done(), (state.show = Number(e.key) - 1), update();
    else if (e.key === "0") done(), (state.with = -1), update();
    else if (e.key === "f" && tracked) done(), (state.fold = !state.fold), update();
    else if (e.key === "/") done(), $("text").focus();
  });

  // ---- data to take away ------------------------------------------------------------------------------------------
  const cell = (value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (lines) => lines.map((line) => line.map(cell).join(",") + "\n").join("");
  const number = (value) => (Number.isFinite(value) ? value : null);
  const savers = {
    queries: () => ["queries.csv", "text/csv", csv([
      ["query", "pid", ...views.map((v) => (several ? `${data.runs[v.run].title}: ${v.label}` : v.label))],
      ...queries.name.map((text, q) => [text, queries.pid?.[q], ...views.map((v) => (v.ap ? number(v.ap[q]) : ""))]),
    ])],
    rankings: () => {
      const lines = [["run", "step", "query", "rank", "gallery", "distance", "relation"]];
      for (const v of [...new Set([views[state.with], views[state.show]])].filter(Boolean))
        for (let q = 0; q < count; q++)
          for (let p = 0; p < v.places; p++) {
            const at = q * v.places + p;
            if (v.rows[at] < 0) continue;
            const values = [p + 1, images.name[v.rows[at]], number(v.distances[at]), WORDS[v.relation[at]]];
            lines.push([data.runs[v.run].title, v.label, queries.name[q], ...values]);
          }
      return ["rankings.csv", "text/csv", csv(lines)];
    },
    json: () => {
      const lists = views.map((v) => ({
        run: data.runs[v.run].title,
        step: v.label,
        queries: queries.name.map((text, q) => {
          const at = Array.from({ length: v.places }, (_, p) => q * v.places + p).filter((i) => v.rows[i] >= 0);
          return {
            name: text,
            ap: v.ap ? number(v.ap[q]) : null,
            images: at.map((i) => images.name[v.rows[i]]),
            distances: at.map((i) => number(v.distances[i])),
            relation: at.map((i) => WORDS[v.relation[i]]),
          };
        }),
      }));
      return ["report.json", "application/json", JSON.stringify({ ...data.facts, queries, lists }, null, 1)];
    },
    markdown: () => ["scores.md", "text/markdown", data.markdown],
    latex: () => ["scores.tex", "application/x-tex", data.latex],
  };
  for (const button of document.querySelectorAll("[data-save]"))
    button.addEventListener("click", () => {
      const [file, type, text] = savers[button.dataset.save]();
      const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` })), download: file });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });

  if (!follow()) {
    choose();
    state.query = shown[0] ?? 0;
    update(false);
  }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
