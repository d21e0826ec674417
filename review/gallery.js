// The gallery's rows, groups and cards. Texts are set as text.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const PAGE = 24;
const FILTERS = ["config", "split", "manual", "kind", "from", "to", "text"];
const DEFAULTS = { from: "0", to: "1" };
const rows = new Map(data.rows.map((row) => [row.id, row]));
const groups = new Map();
for (const row of data.rows) {
  const key = row.config + " " + row.group;
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(row);
}
for (const group of groups.values())
  group.sort((a, b) => (b.kind === "right") - (a.kind === "right"));
let boxes = true;
let shown = PAGE;

function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

function overlay(row) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${row.size[0]} ${row.size[1]}`);
  svg.setAttribute("aria-hidden", "true");
  for (const { px, role, name } of row.boxes) {
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    const [x0, y0, x1, y1] = px;
    const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: role };
    for (const [key, value] of Object.entries(place)) rect.setAttribute(key, value);
    if (name) {
      const title = document.createElementNS(svg.namespaceURI, "title");
      title.textContent = name;
      rect.append(title);
    }
    svg.append(rect);
  }
  return svg;
}

function picture(row, large) {
  const image = new Image(row.size[0], row.size[1]);
  image.loading = large ? "eager" : "lazy";
  image.src = row.picture;
  image.alt = row.alt;
  const made = make(large ? "div" : "button", "picture" + (boxes ? "" : " plain"), image);
  if (row.mask) {
    const veil = new Image(row.size[0], row.size[1]);
    veil.className = "veil";
    veil.loading = image.loading;
    veil.src = row.mask;
    veil.alt = "";
    made.append(veil);
  }
  made.append(overlay(row));
  if (!large) {
    made.type = "button";
    made.addEventListener("click", () => {
      $("large-picture").replaceChildren(picture(row, true));
      $("large").showModal();
    });
  }
  return made;
}

function figure(row) {
  const made = make("figure", row.kind ? (row.kind === "right" ? "right" : "wrong") : "");
  made.append(picture(row, false));
  const caption = make("figcaption", "");
  if (row.kind) caption.append(make("b", "", row.kind.replaceAll("_", " ")), " ");
  if (row.said) caption.append(make("div", "", row.said));
  if (row.correction) caption.append(row.correction);
  caption.append(make("div", "soft", numbers(row)));
  made.append(caption);
  return made;
}

function numbers(row) {
  const weight = row.sample_weight.toFixed(2);
  return `confidence ${row.confidence.toFixed(2)}, weight ${weight}, id ${row.id}`;
}

function card(group, heading) {
  const [first] = group;
  const link = make("a", "", first.session_id);
  link.href = "#" + new URLSearchParams({ view: "episode", session: first.session_id });
  const several = group.length > 1;
  const head = heading || first.config;
  return make(
    "section",
    "card" + (several ? " wide" : ""),
    picker(group, head),
    make("h2", "", `${head}: ${first.instruction}`),
    make("p", "soft", link, `, step ${first.step_num ?? "?"}, ${first.split}`,
      first.annotator ? `, ${first.annotator}` : ""),
    first.line ? make("p", "soft", first.line) : null,
    make("div", "row" + (several ? "" : " one"), ...group.map(figure)),
  );
}
