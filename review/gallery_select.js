// Rows that are ticked, a group at a time: kept over views and reloads, and saved to a file.
const KEPT = "lego-arta selection " + data.fingerprint;
const chosen = new Set();
let keeps = true;
try {
  for (const id of JSON.parse(sessionStorage.getItem(KEPT) || "[]")) if (rows.has(id)) chosen.add(id);
} catch {
  keeps = false; // the browser lets no page keep anything: the selection lasts as long as the page
}

function picker(group, head) {
  const box = make("input", "");
  box.type = "checkbox";
  box.checked = group.every((row) => chosen.has(row.id));
  box.setAttribute("aria-label", `Select ${head}: ${group[0].instruction}`);
  box.addEventListener("change", () => {
    for (const row of group)
      if (box.checked) chosen.add(row.id);
      else chosen.delete(row.id);
    keep();
  });
  return make("label", "pick", box, group.length > 1 ? `Select ${group.length} rows` : "Select");
}

function keep() {
  if (keeps) sessionStorage.setItem(KEPT, JSON.stringify([...chosen]));
  showSelection();
}

function showSelection() {
  const number = chosen.size;
  $("selection").hidden = !number;
  $("selected").textContent =
    `${number.toLocaleString("en")} ${number === 1 ? "row" : "rows"} selected:`;
}

// In the order of the build, however they were ticked.
const selectedRows = () => data.rows.filter((row) => chosen.has(row.id));

function asJson() {
  const { build: name, fingerprint } = data;
  const ids = selectedRows().map((row) => row.id);
  return JSON.stringify({ format: data.selection.format, build: { name, fingerprint }, ids }, null, 1);
}

function asCsv() {
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = selectedRows().map((row) => {
    const cells = { ...row, build: data.build, fingerprint: data.fingerprint ?? "" };
    return data.selection.columns.map((name) => quoted(String(cells[name]))).join(",");
  });
  return [data.selection.columns.join(","), ...lines, ""].join("\n");
}

function save(text, suffix, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `${data.build}-selection.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

$("save-json").addEventListener("click", () => save(asJson() + "\n", "json", "application/json"));
$("save-csv").addEventListener("click", () => save(asCsv(), "csv", "text/csv"));
$("unselect").addEventListener("click", () => {
  chosen.clear();
  for (const box of document.querySelectorAll(".pick input")) box.checked = false;
  keep();
  ($("filters").hidden ? $("session") : $("config")).focus();
});
showSelection();
