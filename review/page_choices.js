// Words of which several may hold of a picture: boxes to tick, "none fits" and "can't tell".
// Every word is a criterion: 2 where it holds, 1 where it doesn't, null where one can't tell.
const HOLDS_NOT = 1;
const HOLDS = 2;

function makeChoices(page, form, onPress) {
  const names = page.criteria.map((criterion) => criterion.name);
  const titles = page.criteria.map((criterion) => criterion.title);
  const boxes = new Map();
  const all = (score) => Object.fromEntries(names.map((name) => [name, score]));
  const areAll = (scores, score) => names.every((name) => scores[name] === score);

  function build() {
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    const options = document.createElement("div");
    const question = document.createElement("p");
    legend.textContent = page.title;
    question.textContent = page.several;
    question.id = "question";
    set.setAttribute("aria-describedby", question.id);
    options.className = "options several";
    const words = names.map((name, n) => [name, String(n + 1), titles[n]]);
    for (const [what, key, label] of [...words, ["none", "n", "None fits"], ["unsure", "0", "Can’t tell"]]) {
      const line = document.createElement("label");
      const input = document.createElement("input");
      const sign = document.createElement("kbd");
      input.type = "checkbox";
      input.name = what;
      input.addEventListener("change", () => onPress(what));
      sign.textContent = key.toUpperCase();
      sign.setAttribute("aria-hidden", "true");
      if (!names.includes(what)) line.className = "unsure";
      line.append(input, sign, label);
      options.append(line);
      boxes.set(what, input);
    }
    set.append(legend, question, options);
    form.replaceChildren(set);
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
