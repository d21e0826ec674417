// The page: tutorial, one sample a screen, the end. Data stands below this script.
function main() {
  const $ = (id) => document.getElementById(id);
  const page = JSON.parse($("data").textContent);
  const store = makeStore(page, () =>
    trouble("This browser keeps nothing for this page. Save your answers often, and at the end."),
  );
  const clock = makeClock();
  const pictures = makePictures(page, $("stage"));
  const fast = page.task === "screening";
  const choices = page.several ? makeChoices(page, $("rating"), choose) : null;
  let state = store.load() || newState(page);
  let active = 0;
  let choosing = false; // with the arrow keys of a group of radio buttons

  const item = (position) =>
    position >= 0 && position < page.items.length
      ? page.items[(position + state.offset) % page.items.length]
      : null;
  const answer = (one) => state.answers[one.id];
  const answered = () => page.items.filter((one) => isAnswered(page, answer(one))).length;

  function trouble(text) {
    $("trouble").textContent = text;
    $("trouble").hidden = false;
  }

  function say(text) {
    $("notice").textContent = text;
  }

  function keep() {
    store.save(state);
    progress();
  }

  // Time goes to the sample on the screen, whenever something is about to change.
  function clockTo(one) {
    const taken = clock.take();
    if (one && answer(one)) answer(one).ms += taken;
  }

  function said(one) {
    state.answers[one.id] ??= { scores: {}, comment: "", ms: 0, at: "", visits: 1 };
    clockTo(one);
    answer(one).at = new Date().toISOString();
    return answer(one);
  }

  function progress() {
    const done = answered();
    $("progress").max = page.items.length;
    $("progress").value = done;
    $("left").textContent = `${done} of ${page.items.length}, ${timeLeft(page.items.length - done)}`;
    $("progress-line").hidden = state.position < 0;
  }

  function timeLeft(number) {
    if (!number) return "all answered";
    const times = Object.values(state.answers).filter((one) => isAnswered(page, one));
    const sorted = times.map((one) => one.ms).sort((a, b) => a - b);
    const usual = (60000 * (page.minutes[0] + page.minutes[1])) / 2 / page.usual;
    const each = sorted.length < 5 ? usual : sorted[sorted.length >> 1];
    const minutes = Math.ceil((number * each) / 60000);
    return `about ${minutes} min left`;
  }

  // Screens ------------------------------------------------------------------------------------

  function go(position) {
    clockTo(item(state.position));
    state.position = Math.min(Math.max(-1, position), page.items.length);
    keep();
    render();
  }

  function render() {
    const one = item(state.position);
    document.body.classList.toggle("rating", Boolean(one));
    $("start").hidden = state.position >= 0;
    $("sample").hidden = !one;
    $("end").hidden = state.position < page.items.length;
    say("");
    if (one) sample(one);
    else if (state.position >= page.items.length) end();
    else $("start-title").focus();
    window.scrollTo(0, 0);
  }

  function sample(one) {
    setTimeout(() => pictures.prepare(state.position, item)); // once this one is on the screen
    $("where").textContent = `Sample ${state.position + 1} of ${page.items.length}`;
    $("text").textContent = one.text;
    pictures.show(one);
    $("names").replaceChildren(
      ...one.boxes.map((box, index) => {
        const line = document.createElement("li");
        const number = document.createElement("b");
        number.className = `box-${index % 6}`;
        number.textContent = String(index + 1);
        line.append(number, box.name);
        return line;
      }),
    );
    $("boxes").hidden = !one.boxes.length;
    $("boxes").setAttribute("aria-pressed", String(pictures.boxes));
    $("swap").hidden = one.pictures.length < 2;
    $("swap").setAttribute("aria-pressed", "false");
    $("zoom-level").textContent = "1×";
    $("comment").value = answer(one)?.comment || "";
    for (const input of $("rating").querySelectorAll("input")) input.checked = false;
    if (choices) choices.mark(answer(one)?.scores || {});
    else page.criteria.forEach((criterion) => mark(one, criterion));
    const open = page.criteria.findIndex((c) => !(c.name in (answer(one)?.scores || {})));
    activate(open < 0 ? 0 : open);
    contradiction(one);
    $("where").focus({ preventScroll: true });
    clock.restart();
    if (answer(one)) answer(one).visits += 1;
  }

  function end() {
    const open = page.items.length - answered();
    $("end-title").textContent = open ? "Not yet finished" : "Done, thank you";
    $("end-text").textContent = open
      ? `${open} of ${page.items.length} samples have no answer yet. You can save what you have.`
      : "Save your answers and send the file back to whoever gave you this page.";
    $("missing").hidden = !open;
    $("end-title").focus();
  }

  // Rating -------------------------------------------------------------------------------------

  function form() {
    $("rating").addEventListener("submit", (event) => event.preventDefault());
    if (choices) return choices.build();
    $("rating").replaceChildren(
      ...page.criteria.map((criterion, index) => {
        const labels = criterion.labels.map((label, n) => [String(n + 1), label]);
        const lines = [...labels, ["0", "Can’t tell"]].map(([value, label]) => [
          optionInput("radio", criterion.name, value, () => rate(index, Number(value), false)),
          value,
          label,
        ]);
        const set = questionSet(
          criterion.title, criterion.question, "question-" + criterion.name, "options", lines,
        );
        set.addEventListener("focusin", () => activate(index));
        return set;
      }),
    );
  }

  function activate(index) {
    active = index;
    const several = page.criteria.length > 1;
    [...$("rating").children].forEach((set, n) =>
      set.classList.toggle("active", several && n === index),
    );
  }

  function mark(one, criterion) {
    const scores = answer(one)?.scores || {};
    if (!(criterion.name in scores)) return;
    const value = scores[criterion.name] ?? 0;
    for (const input of $("rating").elements[criterion.name])
      input.checked = input.value === String(value);
  }

  function rate(index, value, byKey) {
    const one = item(state.position);
    const criterion = page.criteria[index];
    if (!one || !criterion || value > criterion.labels.length) return;
    said(one).scores[criterion.name] = value || null;
    keep();
    mark(one, criterion);
    contradiction(one);
    const label = value ? criterion.labels[value - 1] : "Can’t tell";
    const open = page.criteria.findIndex((c) => !(c.name in answer(one).scores));
    if (fast && !choosing) return go(state.position + 1);
    if (byKey && open >= 0) activate(open);
    const next = open >= 0 ? `Next: ${page.criteria[open].title}.` : "Press → for the next sample.";
    say(`${criterion.title}: ${label}. ${next}`);
  }

  function choose(what) {
    const one = item(state.position);
    if (!one) return;
    const record = said(one);
    record.scores = choices.pressed(record.scores, what);
    keep();
    choices.mark(record.scores);
    contradiction(one);
    say(`${choices.told(record.scores)} Press → for the next sample.`);
  }

  function contradiction(one) {
    const scores = answer(one)?.scores || {};
    const against = (rule) => rule.every(([name, score]) => scores[name] === score);
    $("contradiction").hidden = !page.against.some(against);
  }

  // Keys and buttons ---------------------------------------------------------------------------

  const view = {
    boxes() {
      if (!$("boxes").hidden)
        $("boxes").setAttribute("aria-pressed", String(pictures.toggleBoxes()));
    },
    swap() {
      if ($("swap").hidden) return;
      const swapped = pictures.swap();
      $("swap").setAttribute("aria-pressed", String(swapped));
      say(`${page.titles[swapped ? 1 : 0]} comes first.`);
    },
    zoom() {
      $("zoom-level").textContent = pictures.zoom() + "×";
    },
  };

  function missing() {
    const open = page.items.findIndex((_, n) => !isAnswered(page, answer(item(n))));
    if (open >= 0) go(open);
    else go(page.items.length);
  }

  const keys = {
    ArrowLeft: () => go(Math.max(0, state.position - 1)),
    ArrowRight: () => go(state.position + 1),
    t: view.boxes,
    s: view.swap,
    z: view.zoom,
    u: missing,
    c: () => $("comment").focus(),
    "?": () => $("help").showModal(),
  };
  if (choices) {
    choices.names.forEach((name, n) => (keys[String(n + 1)] = () => choose(name)));
    Object.assign(keys, { 0: () => choose("unsure"), n: () => choose("none") });
  } else for (const digit of "0123") keys[digit] = () => rate(active, Number(digit), true);
  if (fast) Object.assign(keys, { d: () => rate(0, 1, true), k: () => rate(0, 2, true) });

  document.addEventListener("keyup", () => (choosing = false));
  document.addEventListener("keydown", (event) => {
    choosing = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (state.position < 0 || $("help").open) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target === $("comment")) {
      if (event.key === "Escape") $("where").focus();
      return;
    }
    const arrow = event.key.startsWith("Arrow");
    if (arrow && event.target.closest(".frame.zoomed")) return; // they move the picture
    const at_end = state.position >= page.items.length;
    if (at_end && event.key !== "ArrowLeft" && event.key !== "?") return;
    if (!$("shortcuts").checked && !(arrow && event.target.type !== "radio")) return;
    const run = keys[event.key] || keys[event.key.toLowerCase()];
    if (!run || (event.repeat && !arrow)) return;
    event.preventDefault();
    run();
  });

  $("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    state.rater = $("rater").value.trim();
    state.started_at ??= new Date().toISOString();
    const open = page.items.findIndex((_, n) => !isAnswered(page, answer(item(n))));
    go(open < 0 ? page.items.length : open);
  });
  $("open").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      state = readState(page, await file.text());
      $("trouble").hidden = true;
      keep();
      welcome();
      render();
    } catch (error) {
      trouble(`${file.name}: ${error instanceof SyntaxError ? "not a file of answers." : error.message}`);
    }
  });
  $("comment").addEventListener("input", () => {
    const one = item(state.position);
    if (one) said(one).comment = $("comment").value;
    keep();
  });
  function saveFile() {
    clockTo(item(state.position));
    keep();
    download(page, state);
    say("Saved to your downloads.");
  }
  $("save").addEventListener("click", saveFile);
  $("download").addEventListener("click", saveFile);
  $("previous").addEventListener("click", keys.ArrowLeft);
  $("next").addEventListener("click", keys.ArrowRight);
  $("back").addEventListener("click", keys.ArrowLeft);
  $("missing").addEventListener("click", missing);
  $("boxes").addEventListener("click", view.boxes);
  $("swap").addEventListener("click", view.swap);
  $("zoom").addEventListener("click", view.zoom);
  $("show-help").addEventListener("click", () => $("help").showModal());
  window.addEventListener("pagehide", () => {
    clockTo(item(state.position));
    store.save(state);
  });
  // The same page in another tab: the latest word counts in both.
  window.addEventListener("storage", (event) => {
    if (event.key !== store.key || !event.newValue) return;
    const position = state.position;
    state = { ...(store.load() || state), position };
    render();
  });

  function welcome() {
    $("rater").value = state.rater;
    $("go").textContent = answered() ? "Go on" : "Start";
  }

  form();
  welcome();
  progress();
  render();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
