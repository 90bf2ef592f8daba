"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7A1A", "#7A7A7A"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const byId = (id) => document.getElementById(id);

  // Text only ever goes in as text, so that no name can become markup.
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const layout = (more) => ({
    font: { family: "system-ui, sans-serif", size: 13, color: colour("--ink") },
    margin: { l: 60, r: 10, t: 40, b: 45 }, height: 360, bargap: 0.06,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal" },
    paper_bgcolor: colour("--page"), plot_bgcolor: colour("--page"), ...more,
  });
  // The library's own buttons would offer to send the data to a server.
  const CONFIG = { responsive: true, displaylogo: false, plotlyServerURL: "", modeBarButtons: [["toImage", "resetScale2d"]] };

  for (const part of document.querySelectorAll(".hint, .controls[hidden]")) part.hidden = false;
  document.documentElement.classList.add("js");

  // ------------------------------------------------------------------ the drawer

  function listOf(pairs) {
    const list = element("dl", { class: "facts" });
    for (const [name, value] of pairs) {
      if (value === undefined || value === null || value === "") continue;
      const shown = typeof value === "object" ? listOf(Object.entries(value)) : String(value);
      list.append(element("div", {}, element("dt", {}, name), element("dd", {}, shown)));
    }
    return list;
  }
  function command(text) {
    const copy = element("button", { type: "button", class: "copy" }, "Copy");
    copy.addEventListener("click", () => navigator.clipboard.writeText(text).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Select and copy"; }));
    return element("p", {}, element("code", { class: "command" }, text), " ", copy);
  }
  function folded(title, text, open) {
    const part = element("details", open ? { open: "" } : {}, element("summary", {}, title));
    part.append(element("pre", {}, text));
    return part;
  }
  function filesOf(files) {
    const list = element("ul", { class: "paths" });
    for (const [name, bytes] of files) {
      const path = name.split("/").map(encodeURIComponent).join("/");
      list.append(element("li", {}, element("a", { href: `../${path}` }, name), ` ${bytes.toLocaleString("en")} bytes`));
    }
    return list;
  }

  function manifestFacts(manifest) {
    const attempts = (manifest.attempts || []).length;
    const given = manifest.weights;
    return listOf([
      ...(given ? [["Not trained here", "its weights were given"], ["Weights", given.source], ["Weights' hash", given.sha256]] : []),
      ["Scale", manifest.scale], ["Schedule", manifest.schedule], ["Training loops", manifest.loops_trained],
      ["Config hash", manifest.config_sha256], ["Source hash", manifest.source_sha256], ["Commit", manifest.git_commit],
      ["Device", manifest.device], ["World size", manifest.world_size], ["Batch", manifest.batch],
      ["Learning rate", manifest.lr], ["Iterations", given ? "" : manifest.iterations],
      ["Data", manifest.data], ["Start", manifest.start], ["End", manifest.end],
      ["Seconds", given || manifest.seconds === undefined ? "" : `${Math.round(manifest.seconds)}${attempts > 1 ? ` in ${attempts} attempts` : ""}`],
      ["Versions", Object.entries(manifest.versions || {}).map((pair) => pair.join(" ")).join(", ")],
    ]);
  }

  function seedPart(training, seed, evaluation) {
    const of = training.seeds[seed] || {};
    const part = element("section", { class: "seed" }, element("h3", {}, `Seed ${seed}`));
    part.append(of.manifest ? manifestFacts(of.manifest) : element("p", {}, "No manifest: the training has not finished."));
    if (of.config && of.difference === undefined) part.append(element("p", {}, "A variant of no other training."));
    if (of.difference !== undefined) part.append(folded(`Config: the difference from ${of.parent}`, of.difference || "none", true));
    if (of.config) part.append(folded("Config, resolved", of.config));
    if (of.log) part.append(folded(`End of the log (${of.log_path})`, of.log));
    const files = [...(of.files || []), ...((evaluation && evaluation.files) || [])];
    if (files.length) part.append(element("h4", {}, "Files"), filesOf(files));
    return part;
  }

  function openDrawer(button) {
    const row = button.closest("tr").dataset;
    const { kind, key, heading } = button.dataset;
    const training = data.trainings[row.training] || { seeds: {} };
    const evaluation = data.evaluations[`${row.training}|${row.loops}`] || { seeds: {} };
    const commands = data.commands[`${row.training}|${row.loops}`][kind];
    const content = byId("drawer-content");
    const cell = button.closest("td");
    const texts = [...cell.querySelectorAll("small")].map((part) => part.textContent);
    const next = cell.nextElementSibling;
    const before = cell.previousElementSibling;
    const compared = next && next.classList.contains("difference");
    const published = before.classList.contains("paper");
    byId("drawer-heading").textContent = `${row.label}: ${heading.replace("_", " ")}`;
    content.replaceChildren(listOf([
      ["Ours", [button.textContent, ...texts].join("; ")],
      [`By the ${button.closest("section").dataset.publisher}`, published ? before.textContent : ""], ["Difference", compared ? next.textContent : ""],
      ["Training", row.training], ["Evaluation loops", row.loops], ["Value", key],
    ]));
    const seeds = [...new Set([...Object.keys(training.seeds), ...Object.keys(evaluation.seeds)])];
    const run = !button.parentElement.classList.contains("absent");
    content.append(element("h3", {}, run ? "Recompute this number in a separate folder" : "Run what is missing"), command(run ? commands.again : commands.run));
    if (kind === "measurement" && training.measurement) {
      const m = training.measurement;
      const speed = (m.speed || {})[row.loops] || {};
      const times = speed.latency_seconds;  // version 0.1 wrote none
      const ms = (seconds) => `${(1000 * seconds).toPrecision(3)} ms`;
      content.append(element("h3", {}, "Measured"), listOf([
        ["Device", m.device], ["Scale", m.scale], ["Memory", m.memory && m.memory.how],
        ["Images a second", speed.images_per_second],
        ["Latency", times && `mean ${ms(times.mean)}, p50 ${ms(times.p50)}, p95 ${ms(times.p95)} over ${speed.images} images`],
        ["Commit", m.git_commit],
        ["Source hash", m.source_sha256], ["End", m.end], ["Parameters", m.parameters], ["Checkpoint", m.checkpoint],
        ["Versions", Object.entries(m.versions || {}).map((pair) => pair.join(" ")).join(", ")],
      ]));
    }
    for (const seed of seeds) content.append(seedPart(training, seed, evaluation.seeds[seed]));
    byId("drawer").showModal();
    byId("drawer").scrollTop = 0;
    setAddress(`#${addressOf(button)}`);
  }

  // Browsers refuse hundreds of addresses a second, so only the last one is set.
  let address = null;
  function setAddress(text) {
    clearTimeout(address);
    address = setTimeout(() => history.replaceState(null, "", text), 50);
  }

  // An address of its own for each cell, to send to somebody.
  function addressOf(button) {
    const row = button.closest("tr").dataset;
    return `cell=${[button.closest("section").id, row.training, row.loops, button.dataset.key].map(encodeURIComponent).join("/")}`;
  }
  function openAddressed() {
    const target = byId(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
    if (!location.hash.startsWith("#cell=")) return;
    const button = [...document.querySelectorAll("button.open")].find((one) => `#${addressOf(one)}` === location.hash);
    if (button) { button.scrollIntoView({ block: "center" }); openDrawer(button); }
  }
  byId("drawer").addEventListener("close", () => setAddress(location.pathname + location.search));

  // One tab stop a table; the arrow keys go from number to number, and behind the last to the row's notes.
  for (const table of document.querySelectorAll("section.results table")) {
    const lines = [...table.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("button.open"), ...row.querySelectorAll("sup a")]).filter((line) => line.length);
    const every = lines.flat();
    every.forEach((button, number) => { button.tabIndex = number ? -1 : 0; });
    table.addEventListener("keydown", (event) => {
      const down = lines.findIndex((line) => line.includes(event.target));
      const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
      if (down < 0 || !steps) return;
      const across = lines[down].indexOf(event.target) + steps[1];
      const to = (lines[down + steps[0]] || [])[across];
      event.preventDefault();
      if (!to) return;
      every.forEach((button) => { button.tabIndex = button === to ? 0 : -1; });
      to.focus();
    });
  }

  // A shade at the right of what can be scrolled on.
  function shade(part) {
    part.classList.toggle("more", part.scrollLeft + part.clientWidth < part.scrollWidth - 1);
  }
  for (const part of document.querySelectorAll(".scroll, nav ul")) {
    part.addEventListener("scroll", () => shade(part));
    new ResizeObserver(() => shade(part)).observe(part);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) openDrawer(button);
    if (event.target === byId("drawer")) byId("drawer").close();
  });

  // ------------------------------------------------------- IoU of the training samples

  const ids = Object.keys(data.histograms);
  const HALF = 0.5 - 1e-9;
  const HIGH = 0.7 - 1e-9;

  function evenness(counts) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (!total) return null;
    let entropy = 0;
    for (const count of counts) if (count) entropy -= (count / total) * Math.log(count / total);
    return entropy / Math.log(counts.length);
  }

  // Counts by loop of the chosen epoch (all of them summed for 0): [[bin, ...], ...]
  function countsOf(of, choice) {
    const epochs = ((of.counts[choice.assignment] || {})[choice.view]);
    if (!epochs) return null;
    const wanted = choice.epoch ? [Math.min(choice.epoch, epochs.length) - 1] : epochs.keys();
    const sum = of.loops.map(() => of.low.map(() => 0));
    for (const epoch of wanted) epochs[epoch].forEach((bins, loop) => bins.forEach((count, bin) => { sum[loop][bin] += count; }));
    return sum;
  }

  function drawIoU() {
    const choice = {
      view: byId("iou-view").value, assignment: byId("iou-assignment").value,
      epoch: Number(byId("iou-epoch").value), from: Number(byId("iou-from").value) - 1e-9,
      loops: [...document.querySelectorAll("#iou-loops input:checked")].map((box) => Number(box.value)),
    };
    byId("iou-epoch-text").textContent = choice.epoch ? String(choice.epoch) : "all";
    const said = [];
    const panels = ["first", "second"].map((name) => {
      const id = byId(`iou-${name}`).value;
      byId(`iou-chart-${name}`).hidden = !id;
      return id ? panel(id, name, choice, said) : null;
    }).filter(Boolean);
    const top = Math.max(...panels.map((one) => one.top), 0);
    for (const one of panels) {
      one.layout.yaxis.range = [0, top * 1.05 || 1];
      Plotly.react(one.target, one.traces, one.layout, CONFIG);
    }
    byId("iou-evenness").replaceChildren(...said.map((text) => element("p", {}, text)));
  }

  function panel(id, name, choice, said) {
    const of = data.histograms[id];
    const counts = countsOf(of, choice);
    const bins = of.low.map((low, bin) => bin).filter((bin) => of.low[bin] >= choice.from);
    const shown = counts ? of.loops.map((loop, i) => [loop, counts[i]]).filter(([loop]) => choice.loops.includes(loop)) : [];
    const total = byId("iou-unit").value === "share" ? shown.reduce((sum, [, c]) => sum + bins.reduce((s, b) => s + c[b], 0), 0) / 100 || 1 : 1;
    const stacked = byId("iou-form").value === "stack";
    const traces = shown.map(([loop, c]) => ({
      name: `loop ${loop}`, x: bins.map((bin) => of.low[bin] + 0.025), y: bins.map((bin) => c[bin] / total),
      marker: { color: COLOURS[(loop - 1) % COLOURS.length] },
      ...(stacked ? { type: "bar", width: 0.048 } : { type: "scatter", mode: "lines+markers" }),
    }));
    const heights = bins.map((bin, i) => (stacked ? traces.reduce((sum, t) => sum + t.y[i], 0) : Math.max(0, ...traces.map((t) => t.y[i]))));
    said.push(sentence(id, of, counts, shown));
    const epoch = choice.epoch ? `epoch ${Math.min(choice.epoch, of.epochs.length)} of ${of.epochs.length}${choice.epoch > of.epochs.length ? ", its last" : ""}` : `all ${of.epochs.length} epochs`;
    return {
      target: byId(`iou-chart-${name}`), traces, top: Math.max(0, ...heights),
      layout: layout({
        barmode: "stack", showlegend: true, title: { text: plain(`${id}, ${epoch}`), font: { size: 14 }, x: 0.01, y: 0.99, yanchor: "top" }, margin: { l: 60, r: 10, t: 64, b: 45 },
        xaxis: { title: { text: "IoU with the best object" }, range: [Math.max(choice.from, 0) - 0.005, 1.005] },
        yaxis: { title: { text: byId("iou-unit").value === "share" ? "share (%)" : "count" } },
        annotations: counts ? [] : [{ text: "not recorded: this model samples once, before the refinement", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }],
      }),
    };
  }

  function sentence(id, of, counts, shown) {
    if (!counts || !shown.length) return `${id}: nothing to show.`;
    const upper = of.low.map((low, bin) => bin).filter((bin) => of.low[bin] >= HALF);
    const summed = upper.map((bin) => shown.reduce((sum, [, c]) => sum + c[bin], 0));
    const all = summed.reduce((sum, count) => sum + count, 0);
    if (!all) return `${id}: no boxes of IoU 0.5 or more.`;
    const high = upper.reduce((sum, bin, i) => sum + (of.low[bin] >= HIGH ? summed[i] : 0), 0);
    const single = shown.map(([loop, c]) => [loop, evenness(upper.map((bin) => c[bin]))]);
    const parts = single.filter(([, e]) => e !== null).map(([loop, e]) => `loop ${loop} ${e.toFixed(2)}`);
    return `${id}: evenness ${evenness(summed).toFixed(3)} (${parts.join(", ")}), ${Math.round((100 * high) / all)} % above IoU 0.7.`;
  }

  function settleIoU() {
    const chosen = ["iou-first", "iou-second"].map((id) => data.histograms[byId(id).value]).filter(Boolean);
    const slider = byId("iou-epoch");
    slider.max = Math.max(...chosen.map((of) => of.epochs.length));
    const loops = [...new Set(chosen.flatMap((of) => of.loops))].sort((a, b) => a - b);
    const off = new Set([...document.querySelectorAll("#iou-loops input:not(:checked)")].map((box) => Number(box.value)));
    byId("iou-loops").replaceChildren(...loops.map((loop) => {
      const box = element("input", { type: "checkbox", value: loop });
      box.checked = !off.has(loop);
      return element("label", {}, box, ` loop ${loop}`);
    }));
    drawIoU();
  }

  let playing = null;
  function stop() {
    clearInterval(playing);
    playing = null;
    byId("iou-play").textContent = "Play";
  }
  function play() {
    if (playing) return stop();
    const slider = byId("iou-epoch");
    if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
    byId("iou-play").textContent = "Stop";
    playing = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      drawIoU();
      if (Number(slider.value) >= Number(slider.max)) stop();
    }, 500);
  }

  if (ids.length) {
    byId("explore").hidden = false;
    for (const [name, empty] of [["iou-first", false], ["iou-second", true]]) {
      if (empty) byId(name).append(element("option", { value: "" }, "none"));
      for (const id of ids) byId(name).append(element("option", { value: id }, id));
      byId(name).addEventListener("change", settleIoU);
    }
    const [mask, , increasing] = data.figure2;
    byId("iou-first").value = ids.includes(increasing) ? increasing : ids[0];
    byId("iou-second").value = ids.includes(mask) && byId("iou-first").value !== mask ? mask : "";
    for (const name of ["view", "assignment", "form", "unit", "from"]) byId(`iou-${name}`).addEventListener("change", drawIoU);
    byId("iou-loops").addEventListener("change", drawIoU);
    byId("iou-epoch").addEventListener("input", drawIoU);
    byId("iou-play").addEventListener("click", play);
    settleIoU();
  }

  // -------------------------------------------------------------------- learning curves

  const trained = Object.keys(data.curves);
  const FIRST = ["mask_1x", "htc", "r3_naive_inc", "r3_advanced"]; // ticked at first, so no two of one colour
  const coloured = [...FIRST.filter((id) => trained.includes(id)), ...trained.filter((id) => !FIRST.includes(id))];
  const START = 0.05; // of the steps
  const VALIDATION = { bbox_AP: "validation: box AP", segm_AP: "validation: mask AP" };

  // Mean of the last recorded steps up to each one, without those that hold no number.
  function smoothed(values, width) {
    return values.map((value, i) => {
      const last = values.slice(Math.max(0, i + 1 - width), i + 1).filter(Number.isFinite);
      return last.length ? last.reduce((sum, one) => sum + one, 0) / last.length : null;
    });
  }

  // The first losses are many times the later ones and would press the curves together.
  function rangeWithoutStart(traces) {
    const values = traces.flatMap(({ y }) => y.slice(Math.ceil(y.length * START))).filter(Number.isFinite);
    if (!values.length) return null;
    const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    const margin = 0.05 * (high - low) || 0.05;
    return [low - margin, high + margin];
  }

  function drawCurves() {
    const quantity = byId("curve-quantity").value;
    const width = Number(byId("curve-smooth").value);
    const traces = [];
    const empty = [];
    trained.forEach((id, number) => {  // a training keeps its colour whatever else is ticked
      if (!byId(`curve-of-${number}`).checked) return;
      const before = traces.length;
      const place = coloured.indexOf(id);
      Object.entries(data.curves[id]).forEach(([seed, of], which) => {
        const line = { color: COLOURS[place % COLOURS.length], dash: DASHES[(Math.floor(place / COLOURS.length) + which) % DASHES.length] };
        const add = (x, y, more) => traces.push({ type: "scatter", mode: more ? "lines+markers" : "lines", name: `${plain(`${id}, seed ${seed}`)}${more || ""}`, legendgroup: plain(id), showlegend: which === 0, x, y, line });
        if (quantity in VALIDATION) {
          for (const [loops, points] of Object.entries(of.validation)) add(points.x, points[quantity], `, L<sub>e</sub> = ${plain(loops)}`);
        } else if (of.y[quantity]) add(of.x, smoothed(of.y[quantity], width));
      });
      if (traces.length === before) empty.push(id);
    });
    byId("curve-empty").textContent = empty.length ? `Not recorded: ${empty.join(", ")}.` : "";
    const logarithmic = byId("curve-log").checked;
    const range = logarithmic || quantity in VALIDATION ? null : rangeWithoutStart(traces);
    byId("curve-cut").hidden = !range;
    Plotly.react(byId("curve-chart"), traces, layout({
      height: 420, showlegend: true, margin: { l: 60, r: 10, t: 20, b: 45 }, legend: { orientation: "h", y: -0.25, yanchor: "top" },
      xaxis: { title: { text: "epoch", standoff: 10 } },
      yaxis: { title: { text: plain(VALIDATION[quantity] || quantity) }, type: logarithmic ? "log" : "linear", ...(range && { range }) },
    }), CONFIG);
  }

  if (trained.length) {
    byId("curves-none").hidden = true;
    byId("curves-chosen").hidden = false;
    const runs = trained.flatMap((id) => Object.values(data.curves[id]));
    const names = new Set(runs.flatMap((of) => Object.keys(of.y)));
    for (const name of names) byId("curve-quantity").append(element("option", { value: name }, name));
    if (runs.some((of) => Object.keys(of.validation).length)) {
      for (const [name, text] of Object.entries(VALIDATION)) byId("curve-quantity").append(element("option", { value: name }, text));
    }
    if (names.has("loss")) byId("curve-quantity").value = "loss";
    const some = trained.some((id) => FIRST.includes(id));
    trained.forEach((id, number) => {
      const box = element("input", { type: "checkbox", id: `curve-of-${number}` });
      box.checked = some ? FIRST.includes(id) : number < 4;
      byId("curve-trainings").append(element("label", {}, box, ` ${id}`));
    });
    byId("curves-chosen").addEventListener("change", drawCurves);
    drawCurves();
  }

  // ------------------------------------------------------------------------ the pictures

  for (const part of ["boxes", "masks"]) {
    const box = byId(`show-${part}`);
    if (box) box.addEventListener("change", () => byId("pictures").classList.toggle(`no-${part}`, !box.checked));
  }
  for (const figure of document.querySelectorAll(".views figure")) {
    figure.querySelector("svg").addEventListener("click", () => figure.classList.toggle("large"));
  }
  window.addEventListener("hashchange", openAddressed);
  openAddressed();
})();
