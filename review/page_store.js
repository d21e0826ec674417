// What a rater has said, kept in this browser under the page's id, and as a file.
const ABSENT_MS = 60000; // looking at one sample longer than this without a touch is a break

function newState(page) {
  const random = new Uint32Array(4);
  crypto.getRandomValues(random);
  return {
    rater: "",
    rater_id: Array.from(random, (n) => n.toString(16).padStart(8, "0")).join(""),
    // Every rater begins elsewhere and goes round, so that being tired is not a matter of samples.
    offset: page.rotate ? random[0] % page.items.length : 0,
    position: -1,
    started_at: null,
    answers: {},
  };
}

function readState(page, text) {
  const read = JSON.parse(text);
  if (read.page_id !== page.page_id) throw new Error("These are the answers of another page.");
  const known = new Set(page.items.map((item) => item.id));
  if (typeof read.answers !== "object" || Object.keys(read.answers).some((id) => !known.has(id)))
    throw new Error("This is not a file of answers.");
  const state = newState(page);
  for (const name of Object.keys(state)) if (name in read) state[name] = read[name];
  state.position = Math.min(Math.max(-1, state.position | 0), page.items.length);
  return state;
}

function result(page, state) {
  const done = page.items.filter((item) => isAnswered(page, state.answers[item.id])).length;
  return {
    format: "lego-arta review result 1",
    page_id: page.page_id,
    task: page.task,
    ...state,
    saved_at: new Date().toISOString(),
    answered: done,
    complete: done === page.items.length,
  };
}

function isAnswered(page, answer) {
  return Boolean(answer) && page.criteria.every((criterion) => criterion.name in answer.scores);
}

function makeStore(page, onTrouble) {
  const key = "lego-arta-review:" + page.page_id;
  return {
    key,
    load() {
      try {
        const text = localStorage.getItem(key);
        return text ? readState(page, text) : null;
      } catch (error) {
        onTrouble(error);
        return null;
      }
    },
    save(state) {
      try {
        localStorage.setItem(key, JSON.stringify({ page_id: page.page_id, ...state }));
      } catch (error) {
        onTrouble(error);
      }
    },
  };
}

function download(page, state) {
  const text = JSON.stringify(result(page, state), null, 1) + "\n";
  const link = document.createElement("a");
  const name = state.rater.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40) || "rater";
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `review-${page.task}-${page.page_id.slice(0, 8)}-${name}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Time spent looking at a sample, without breaks and hidden tabs.
function makeClock() {
  let since = null;
  let total = 0;
  const stop = () => {
    if (since !== null) total += Math.min(performance.now() - since, ABSENT_MS);
    since = null;
  };
  const go = () => {
    stop();
    if (!document.hidden) since = performance.now();
  };
  document.addEventListener("visibilitychange", go);
  for (const kind of ["keydown", "pointerdown", "pointermove", "scroll"])
    document.addEventListener(kind, go, { passive: true, capture: true });
  return {
    restart() {
      total = 0;
      since = null;
      go();
    },
    take() {
      go();
      const taken = total;
      total = 0;
      return Math.round(taken);
    },
  };
}
