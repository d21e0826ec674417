// Words of which several may hold of a picture: boxes to tick, "none fits" and "can't tell".
// Every word is a criterion: 2 where it holds, 1 where it doesn't, null where one can't tell.
const HOLDS_NOT = 1;
const HOLDS = 2;

// A question with its options: a line each, [input, key that is pressed for it, words].
function questionSet(title, text, id, className, lines) {
  const set = document.createElement("fieldset");
  const legend = document.createElement("legend");
  const question = document.createElement("p");
  const options = document.createElement("div");
  legend.textContent = title;
  question.textContent = text;
  question.id = id;
  set.setAttribute("aria-describedby", id);
  options.className = className;
  for (const [input, key, words] of lines) {
    const line = document.createElement("label");
    const sign = document.createElement("kbd");
    sign.textContent = key;
    sign.setAttribute("aria-hidden", "true");
    if (key === "0" || key === "N") line.className = "unsure";
    line.append(input, sign, words);
    options.append(line);
  }
  set.append(legend, question, options);
  return set;
}

function optionInput(type, name, value, onChange) {
  const input = document.createElement("input");
  input.type = type;
  input.name = name;
  if (value !== null) input.value = value;
  input.addEventListener("change", onChange);
  return input;
}

function makeChoices(page, form, onPress) {
  const names = page.criteria.map((criterion) => criterion.name);
  const titles = page.criteria.map((criterion) => criterion.title);
  const boxes = new Map();
  const all = (score) => Object.fromEntries(names.map((name) => [name, score]));
  const areAll = (scores, score) => names.every((name) => scores[name] === score);

  function build() {
    const words = names.map((name, n) => [name, String(n + 1), titles[n]]);
    const lines = [...words, ["none", "N", "None fits"], ["unsure", "0", "Can’t tell"]];
    for (const [what] of lines)
      boxes.set(what, optionInput("checkbox", what, null, () => onPress(what)));
    form.replaceChildren(
      questionSet(
        page.title, page.several, "question", "options several",
        lines.map(([what, key, label]) => [boxes.get(what), key, label]),
      ),
    );
  }

  // The scores after a press; none where nothing is ticked any more.
  function pressed(scores, what) {
    if (what === "none") return areAll(scores, HOLDS_NOT) ? {} : all(HOLDS_NOT);
    if (what === "unsure") return areAll(scores, null) ? {} : all(null);
    const ticked = new Set(names.filter((name) => scores[name] === HOLDS));
    if (!ticked.delete(what)) ticked.add(what);
    if (!ticked.size) return {};
    return Object.fromEntries(names.map((name) => [name, ticked.has(name) ? HOLDS : HOLDS_NOT]));
  }

  function mark(scores) {
    for (const name of names) boxes.get(name).checked = scores[name] === HOLDS;
    boxes.get("none").checked = areAll(scores, HOLDS_NOT);
    boxes.get("unsure").checked = areAll(scores, null);
  }

  function told(scores) {
    if (!(names[0] in scores)) return "Nothing is ticked.";
    if (areAll(scores, HOLDS_NOT)) return "None fits.";
    if (areAll(scores, null)) return "Can’t tell.";
    return titles.filter((_, n) => scores[names[n]] === HOLDS).join(" and ") + ".";
  }

  return { names, build, pressed, mark, told };
}
