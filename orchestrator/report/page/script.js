"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const images = new Map(data.images.map((image) => [image.name, image]));
  const graph = document.getElementById("graph");
  const drawing = graph.querySelector("svg");
  const details = document.getElementById("details");
  const boxes = [...drawing.querySelectorAll(".box")];
  const natural = drawing.viewBox.baseVal;
  let scale = 1;
  let opener = null;

  const make = (tag, text, ...children) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  };
  const size = (bytes) => {
    if (!bytes) return "not known";
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (bytes >= 999.95 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
    return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
  };

  // Zoom

  const zoom = (wanted) => {
    const middle = (graph.scrollLeft + graph.clientWidth / 2) / scale;
    scale = Math.min(4, Math.max(0.1, wanted));
    drawing.style.width = `${natural.width * scale}px`;
    drawing.style.height = `${natural.height * scale}px`;
    graph.scrollLeft = middle * scale - graph.clientWidth / 2;
  };
  const fit = () => zoom(Math.min(1.5, (graph.clientWidth - 2) / natural.width));
  for (const button of document.querySelectorAll("[data-zoom]")) {
    const factor = Number(button.dataset.zoom);
    button.addEventListener("click", () => (factor ? zoom(scale * factor) : fit()));
  }
  graph.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls
    event.preventDefault();
    zoom(scale * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
  }, { passive: false });
  zoom(Math.max(0.92, Math.min(1, (graph.clientWidth - 2) / natural.width))); // stays legible

  // Details

  const list = (title, rows) =>
    rows.length ? [make("h3", title), make("ul", "", ...rows.map((row) => make("li", row)))] : [];
  const gate = (one) => {
    const measured = Object.entries(one.evidence).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
    const limits = Object.entries(one.limits).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
    const told = measured.length ? ` (measured: ${measured.join(", ").slice(0, 600)})` : "";
    const held = limits.length ? ` (limits: ${limits.join(", ")})` : "";
    return `${one.result}: ${one.id}. ${one.says}${told}${held}`;
  };
  const facts = (image) => {
    const time = image.timing;
    const rows = [
      ["outcome", image.status],
      ["why", !image.error && (image.because || (image.status === "reused" && "nothing changed"))],
      ["error", image.error && image.error.message],
      ["what to do", image.error && image.error.hint],
      ["log", image.error && image.error.log],
      ["platform", image.platform],
      ["stands on", image.parents.join(", ") || "no image of this workspace"],
      ["digest", image.digest || "there is no image"],
      ["packed", image.digest && size(image.size_bytes)],
      ["unpacked", image.digest && size(image.unpacked_bytes)],
      ["began after", time && `${time.started_s} s`],
      ["took", time && `${time.duration_s} s${time.is_critical ? ", on the critical path" : ""}`],
      ["attempts", image.attempts && String(image.attempts)],
      ["waited for", time && (time.waited_for || "no image")],
      ["then waited", time && `${time.waited_s} s`],
      ["fingerprint", image.fingerprint],
      ["in the registry", image.published ? image.published.reference : `none: ${image.not_published}`],
    ];
    return make("dl", "", ...rows.filter((row) => row[1]).flatMap(([key, value]) => [make("dt", key), make("dd", value)]));
  };
  const open = (name, from) => {
    const image = images.get(name);
    if (!image) return;
    opener = from;
    const heading = make("h3", image.name);
    heading.id = "details-name";
    const button = make("button", "Close");
    button.type = "button";
    button.addEventListener("click", close);
    details.replaceChildren(
      make("header", "", heading, button),
      facts(image),
      ...list("Reasons", image.reasons.map((one) => [one.code, one.subject, one.detail && `(${one.detail})`].filter(Boolean).join(" "))),
      ...list("Layers", image.layers.map((one) => `${size(one.size_bytes)} ${one.what}, ${one.digest.slice(0, 19)}${one.reused ? ", there before" : ""}`)),
      ...list("The heaviest in it, unpacked", image.components.map((one) => `${size(one.unpacked_bytes)} ${one.kind} ${one.name}`)),
      ...(image.not_verified ? list("Gates", [`not checked: ${image.not_verified}`]) : list("Gates", image.gates.map(gate))),
    );
    details.hidden = false;
    document.getElementById("pair").classList.add("opened");
    for (const box of boxes) box.classList.toggle("chosen", box.dataset.image === name);
    for (const line of drawing.querySelectorAll(".line")) {
      line.classList.toggle("near", line.dataset.parent === name || line.dataset.child === name);
    }
    details.scrollTop = 0;
    details.scrollIntoView({ block: "nearest" });
  };
  const close = () => {
    details.hidden = true;
    document.getElementById("pair").classList.remove("opened");
    for (const marked of drawing.querySelectorAll(".chosen, .near")) marked.classList.remove("chosen", "near");
    if (opener) opener.focus();
    opener = null;
  };
  const openFrom = (element) => open(element.dataset.image, element);
  document.addEventListener("click", (event) => {
    const from = event.target.closest("[data-image]");
    if (from) openFrom(from);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !details.hidden) close();
  });

  // Keys: of the boxes, and of the bars, one is in the order of tabs, and arrows move on

  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const rove = (members, next) => {
    const focus = (wanted) => {
      for (const one of members) one.setAttribute("tabindex", one === wanted ? "0" : "-1");
      wanted.focus();
      wanted.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    const press = (event) => {
      const isPressed = event.key === "Enter" || event.key === " ";
      if (!isPressed && !ways[event.key]) return;
      event.preventDefault();
      const to = isPressed ? null : next(event.currentTarget, ways[event.key]);
      if (isPressed) openFrom(event.currentTarget);
      else if (to) focus(to);
    };
    for (const member of members) member.addEventListener("keydown", press);
  };
  const nearestBox = (box, [x, y]) => {
    let best = null;
    let nearest = Infinity;
    for (const other of boxes) {
      const across = other.dataset.x - box.dataset.x;
      const down = other.dataset.y - box.dataset.y;
      const ahead = across * x + down * y;
      if (ahead <= 0 || (y && across)) continue; // up and down stay in the column
      const distance = ahead + 0.2 * Math.abs(x ? down : across);
      if (distance < nearest) { nearest = distance; best = other; }
    }
    return best;
  };
  if (matchMedia("(max-width: 40rem)").matches) { // most tiles have no room for words
    for (const table of document.querySelectorAll("details.same")) table.open = true;
  }
  const bars = [...document.querySelectorAll("#timeline .bar")];
  rove(boxes, nearestBox);
  rove(bars, (bar, [x, y]) => bars[bars.indexOf(bar) + x + y]);
})();
