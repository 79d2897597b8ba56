// What pages do beyond links and forms. They work without it.

const SVG = "http://www.w3.org/2000/svg";
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function button(label, text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label !== text) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

/** A map that is moved by hand, by wheel and by keys. The view is [x, y, width, height] of its viewBox. */
class Chart {
  constructor(figure) {
    this.figure = figure;
    this.svg = figure.querySelector(".world");
    this.plane = figure.querySelector("[data-plane]");
    this.first = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.view = [...this.first];
    this.pointers = new Map();
    this.field = figure.hasAttribute("data-draws") ? document.getElementById("bbox") : null;
    this.tools = document.createElement("div");
    this.tools.className = "tools";
    this.tools.role = "group";
    this.tools.ariaLabel = "Map";
    this.tools.append(
      button("Zoom in", "+", () => this.zoom(0.5)),
      button("Zoom out", "−", () => this.zoom(2)),
      button("Show all", "⤢", () => this.show([...this.first])),
    );
    if (this.field) {
      this.pen = button("Draw a box", "Draw a box", () => this.draws(!this.drawing));
      this.pen.setAttribute("aria-pressed", "false");
      this.tools.prepend(this.pen);
    }
    this.svg.after(this.tools);
    figure.classList.add("live");
    this.listen();
  }

  get drawing() {
    return this.figure.classList.contains("drawing");
  }

  draws(on) {
    this.figure.classList.toggle("drawing", on);
    this.pen.setAttribute("aria-pressed", String(on));
  }

  show(view) {
    const width = clamp(view[2], 0.02, 720);
    const height = (width / view[2]) * view[3];
    const reach = 540 * this.plane.getCTM().a / this.svg.getCTM().a;
    this.view = [clamp(view[0], -reach, reach - width), clamp(view[1], -90 - height / 2, 90 - height / 2), width, height];
    this.svg.setAttribute("viewBox", this.view.join(" "));
  }

  zoom(factor, x = this.view[0] + this.view[2] / 2, y = this.view[1] + this.view[3] / 2) {
    const width = clamp(this.view[2] * factor, 0.02, 720);
    factor = width / this.view[2];
    this.show([x - (x - this.view[0]) * factor, y - (y - this.view[1]) * factor, width, this.view[3] * factor]);
  }

  move(right, down) {
    this.show([this.view[0] + right * this.view[2], this.view[1] + down * this.view[3], this.view[2], this.view[3]]);
  }

  at(event, of = this.svg) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(of.getScreenCTM().inverse());
  }

  listen() {
    const svg = this.svg;
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement?.closest(".map") !== this.figure) return;
      event.preventDefault();
      const { x, y } = this.at(event);
      this.zoom(2 ** clamp(event.deltaY / 200, -1, 1), x, y);
    }, { passive: false });
    svg.addEventListener("dblclick", (event) => {
      const { x, y } = this.at(event);
      this.zoom(0.5, x, y);
    });
    svg.addEventListener("pointerdown", (event) => this.hold(event));
    svg.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.release(event));
    svg.addEventListener("click", (event) => {
      if (this.moved || this.drawing) event.preventDefault();
    }, true);
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    this.tools.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] }[event.key];
      if (way) { event.preventDefault(); this.move(...way); }
      if (event.key === "Escape" && this.drawing) this.draws(false);
    });
  }

  hold(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    this.moved = false;
    if (this.drawing) {
      svgCapture(this.svg, event);
      this.corner = this.at(event, this.plane);
      this.box ??= this.plane.appendChild(document.createElementNS(SVG, "path"));
      this.box.setAttribute("class", "drawn");
    }
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (!this.moved && Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) < 4) return;
    if (!this.moved) svgCapture(this.svg, event);
    this.moved = true;
    this.svg.classList.add("held");
    if (this.drawing) return this.stretch(this.at(event, this.plane));
    const others = [...this.pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    const [was, is] = [this.at(before), this.at(event)];
    if (others.length) {
      const other = this.at(others[0]);
      const factor = Math.hypot(was.x - other.x, was.y - other.y) / Math.hypot(is.x - other.x, is.y - other.y);
      if (Number.isFinite(factor)) this.zoom(factor, other.x, other.y);
    } else {
      this.show([this.view[0] + was.x - is.x, this.view[1] + was.y - is.y, this.view[2], this.view[3]]);
    }
    this.pointers.set(event.pointerId, event);
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    this.svg.classList.remove("held");
    if (this.drawing && this.corner && this.moved && event.type === "pointerup") {
      this.stretch(this.at(event, this.plane));
      this.draws(false);
      this.field.value = this.asked;
      this.field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    this.corner = null;
  }

  /** Draws the box from the corner that was held to this one, and says it as the parameter does. */
  stretch({ x, y }) {
    const [west, east] = [Math.min(x, this.corner.x), Math.max(x, this.corner.x)];
    const [top, bottom] = [y, this.corner.y].map((edge) => clamp(edge, -90, 90)).sort((a, b) => a - b);
    this.box.setAttribute("d", `M${west} ${top}H${east}V${bottom}H${west}z`);
    const digits = clamp(2 - Math.floor(Math.log10(this.view[3] / 10)), 0, 6);
    const turned = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
    const around = east - west >= 360;
    const edges = [around ? -180 : turned(west), -bottom, around ? 180 : turned(east), -top];
    this.asked = edges.map((edge) => String(Number(edge.toFixed(digits)))).join(",");
  }
}

function svgCapture(svg, event) {
  if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
}

/** Two days beside the field for the time, which say it as the parameter does. */
function days(field) {
  const [start, end = start] = field.value.split("/");
  const row = document.createElement("div");
  row.className = "days";
  const inputs = [["From", start], ["To", end]].map(([name, value]) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "date";
    input.value = /^\d{4}-\d\d-\d\d/.exec(value)?.[0] ?? "";
    label.append(name, input);
    row.append(label);
    return input;
  });
  row.addEventListener("change", () => {
    const [first, last] = inputs.map((input) => input.value);
    const from = first ? `${first}T00:00:00Z` : "..";
    const to = last ? `${last}T23:59:59.999999Z` : "..";
    field.value = first || last ? `${from}/${to}` : "";
  });
  field.after(row);
}

/** Nothing that was left empty goes into the address, and what has several values goes as one. */
function tidy(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const name of new Set([...formData.keys()])) {
      const values = formData.getAll(name).filter((value) => value.trim());
      formData.delete(name);
      if (values.length) formData.set(name, values.join(","));
    }
  });
}

function copied(code) {
  const around = document.createElement("div");
  around.className = "copied";
  code.replaceWith(around);
  const copy = button("Copy", "Copy", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  around.append(code, copy);
}

/** An item's footprint is lit while one points at the item. */
function lit(list) {
  const shapes = new Map([...document.querySelectorAll(".world a")].map((a) => [a.getAttribute("href"), a.firstElementChild]));
  const light = (event, on) => {
    const link = event.target.closest?.(".card")?.querySelector(".over");
    shapes.get(link?.getAttribute("href"))?.classList.toggle("lit", on);
  };
  for (const [name, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
    list.addEventListener(name, (event) => light(event, on));
  }
}

for (const image of document.querySelectorAll(".thumbnail img, .picture img")) {
  const gone = () => image.remove();
  if (image.complete && !image.naturalWidth) gone();
  image.addEventListener("error", gone);
}
for (const figure of document.querySelectorAll("[data-map]")) new Chart(figure);
for (const form of document.querySelectorAll("form[method=get]")) tidy(form);
for (const field of document.querySelectorAll("[data-field=datetime] input")) days(field);
for (const code of document.querySelectorAll("[data-copy]")) copied(code);
for (const list of document.querySelectorAll("[data-items]")) lit(list);
// Little room, and nothing asked wrongly: the results come first.
if (matchMedia("(max-width: 56rem)").matches && !document.querySelector(".wrong, .failure")) {
  for (const fold of document.querySelectorAll("[data-folds]")) fold.open = false;
}
