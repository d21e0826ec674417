// The gallery's two views, and what stands in the address.

// Rows --------------------------------------------------------------------------------------------

function fill(id, values, all) {
  const options = [["", all], ...values.map((value) => [value, String(value)])];
  $(id).replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

function matching(filters) {
  const words = filters.text.trim().toLowerCase();
  const low = Number(filters.from || 0) - 1e-6;
  const high = Number(filters.to || 1) + 1e-6;
  const fits = (row) =>
    (!filters.config || row.config === filters.config) &&
    (!filters.split || row.split === filters.split) &&
    (!filters.manual || row.manual_id === filters.manual) &&
    (!filters.kind || row.kind === filters.kind) &&
    row.confidence >= low &&
    row.confidence <= high &&
    (!words ||
      [row.instruction, row.previous_instruction, row.correction, row.id, row.session_id].some(
        (text) => text && text.toLowerCase().includes(words),
      ));
  return [...groups.values()].filter((group) => group.some(fits));
}

function filters() {
  return Object.fromEntries(FILTERS.map((id) => [id, $(id).value]));
}

function showRows() {
  const found = matching(filters());
  const number = found.reduce((sum, group) => sum + group.length, 0);
  $("count").textContent =
    `${number.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} rows, in ` +
    `${found.length.toLocaleString("en")} groups`;
  $("cards").replaceChildren(...found.slice(0, shown).map((group) => card(group)));
  $("more").hidden = found.length <= shown;
}

// Episodes ----------------------------------------------------------------------------------------

function showEpisode(query) {
  const episode =
    data.episodes.find((one) => one.session === query.get("session")) || data.episodes[0];
  if (!episode) return;
  const last = episode.steps.length - 1;
  const at = Math.min(Math.max(0, Number(query.get("step") || 1) - 1), last);
  const step = episode.steps[at];
  $("session").value = episode.session;
  $("step").textContent = `step ${at + 1} of ${last + 1}`;
  $("back").disabled = at === 0;
  $("on").disabled = at === last;
  const parts = [
    ["Find", step.object && groups.get("object " + step.object)?.slice(0, 1)],
    ["Build", step.scene && [rows.get(step.scene)]],
    ["Check", step.state && groups.get("state " + step.state)],
  ];
  $("cards").replaceChildren(
    ...parts.map(([name, group]) =>
      group
        ? card(group, name)
        : make("section", "card", make("h2", "", name), make("p", "soft", "no row in this build")),
    ),
  );
  $("count").textContent = "What is found, where it goes, and whether it was done right.";
  $("more").hidden = true;
}

function walk(by) {
  const query = new URLSearchParams(location.hash.slice(1));
  const button = by < 0 ? $("back") : $("on");
  if (query.get("view") !== "episode" || button.disabled) return;
  query.set("session", $("session").value);
  query.set("step", String(Number(query.get("step") || 1) + by));
  location.hash = query;
}

// What is shown stands in the address, so that it can be marked and gone back to ------------------

function render() {
  const query = new URLSearchParams(location.hash.slice(1));
  const episode = query.get("view") === "episode";
  $("filters").hidden = episode;
  $("walk").hidden = !episode;
  for (const [id, current] of [["to-rows", !episode], ["to-episode", episode]])
    if (current) $(id).setAttribute("aria-current", "page");
    else $(id).removeAttribute("aria-current");
  if (episode) return showEpisode(query);
  for (const id of FILTERS) {
    const value = query.get(id) ?? DEFAULTS[id] ?? "";
    if (document.activeElement !== $(id)) $(id).value = value;
  }
  showRows();
}

function remember() {
  shown = PAGE;
  const query = new URLSearchParams({ view: "rows" });
  for (const [id, value] of Object.entries(filters()))
    if (value && value !== DEFAULTS[id]) query.set(id, value);
  history.replaceState(null, "", "#" + query);
  showRows();
}

$("missing").hidden = !data.missing.length;
$("missing").append(
  ...[...data.missing, ...(data.missing.length ? ["This gallery can't show them."] : [])].map(
    (text) => make("p", "", text),
  ),
);
const distinct = (name) => [...new Set(data.rows.map((row) => row[name]))].filter(Boolean).sort();
fill("config", distinct("config"), "all");
fill("split", distinct("split"), "both");
fill("manual", distinct("manual_id"), "all");
fill("kind", distinct("kind"), "all");
for (const one of data.episodes) $("session").append(new Option(one.session, one.session));
$("title").textContent =
  `${data.build}: ${data.episodes.length} of ${data.sessions_in_build} sessions`;
document.title = `Gallery of ${data.build}`;
$("filters").addEventListener("input", remember);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", () => setTimeout(remember));
$("session").addEventListener("change", () => {
  location.hash = new URLSearchParams({ view: "episode", session: $("session").value });
});
$("back").addEventListener("click", () => walk(-1));
$("on").addEventListener("click", () => walk(1));
$("more").addEventListener("click", () => {
  shown += PAGE;
  showRows();
});
function toggle() {
  boxes = !boxes;
  $("boxes").setAttribute("aria-pressed", String(boxes));
  for (const one of document.querySelectorAll(".picture")) one.classList.toggle("plain", !boxes);
}
$("boxes").addEventListener("click", toggle);
// How much of what a mask leaves out is hidden; M hides the masks and shows them again.
const MASKED = "75";
function veil(percent) {
  $("veil").value = percent;
  document.documentElement.style.setProperty("--veil", String(percent / 100));
}
$("veil-label").hidden = !data.rows.some((row) => row.mask);
$("veil").addEventListener("input", () => veil($("veil").value));
veil(MASKED);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || $("large").open) return;
  if (event.target.closest("input:not([type=checkbox]), select")) return;
  if (event.key === "t" || event.key === "T") toggle();
  else if (event.key === "m" || event.key === "M") veil($("veil").value === "0" ? MASKED : "0");
  else if (event.key === "ArrowLeft") walk(-1);
  else if (event.key === "ArrowRight") walk(1);
});
window.addEventListener("hashchange", () => {
  shown = PAGE;
  render();
});
render();
