// Pictures of a sample: decoded ahead, boxes over them, zoom, and the two of a state swapped.
const ZOOMS = [1, 2, 4];
const AHEAD = [0, 1, 2, -1];

function makePictures(page, stage) {
  const ready = new Map();
  let shown = null;
  let view = { boxes: true, swapped: false, zoom: 0 };

  function image(number) {
    let picture = ready.get(number);
    if (!picture) {
      picture = new Image();
      picture.decoding = "sync"; // it has been decoded ahead; a blank frame would flicker
      picture.draggable = false;
      const data = document.getElementById("p" + number);
      picture.src = "data:image/webp;base64," + (data ? data.textContent.trim() : "");
      picture.decode().catch(() => {});
      ready.set(number, picture);
    }
    return picture;
  }

  function prepare(index, order) {
    const wanted = new Set();
    for (const step of AHEAD) {
      const item = order(index + step);
      if (item) for (const number of item.pictures) wanted.add(number);
    }
    for (const number of wanted) image(number);
    for (const number of ready.keys()) if (!wanted.has(number)) ready.delete(number);
  }

  function marked(canvas, item) {
    const [width, height] = item.size;
    item.boxes.forEach((box, index) => {
      const [x0, y0, x1, y1] = box.px;
      const frame = document.createElement("div");
      frame.className = `box box-${index % 6}`;
      frame.style.left = (100 * x0) / width + "%";
      frame.style.top = (100 * y0) / height + "%";
      frame.style.width = (100 * (x1 - x0)) / width + "%";
      frame.style.height = (100 * (y1 - y0)) / height + "%";
      const tag = document.createElement("div");
      tag.className = `tag box-${index % 6}`;
      const name = document.createElement("span");
      name.className = "name";
      name.textContent = ": " + box.name;
      tag.append(String(index + 1), name);
      if (x0 < width / 2) tag.style.left = (100 * x0) / width + "%";
      else tag.style.right = 100 - (100 * x1) / width + "%";
      if (y0 > 0.06 * height) tag.style.bottom = 100 - (100 * y0) / height + "%";
      else tag.style.top = (y1 < 0.94 * height ? (100 * y1) / height : (100 * y0) / height) + "%";
      canvas.append(frame, tag);
    });
  }

  function figure(item, place, title) {
    const made = document.createElement("figure");
    const frame = document.createElement("div");
    const canvas = document.createElement("div");
    const picture = image(item.pictures[place]);
    frame.className = "frame";
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", title);
    canvas.className = "canvas";
    picture.alt = describe(item, place, title);
    canvas.append(picture);
    if (place === 0) marked(canvas, item);
    frame.append(canvas);
    made.append(frame);
    if (item.pictures.length > 1) {
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      made.prepend(caption);
    }
    drag(frame);
    frame.addEventListener("scroll", () => follow(frame), { passive: true });
    return made;
  }

  function describe(item, place, title) {
    if (!item.boxes.length || place) return title;
    const [width, height] = item.size;
    const percent = (value, whole) => Math.round((100 * value) / whole);
    const boxes = item.boxes.map(
      ({ name, px }, index) =>
        `box ${index + 1}, ${name}: ${percent(px[0], width)} to ${percent(px[2], width)} % from ` +
        `the left, ${percent(px[1], height)} to ${percent(px[3], height)} % from the top`,
    );
    return `${title}; ${boxes.join("; ")}`;
  }

  // Both pictures of a state show the same place.
  function follow(frame) {
    for (const other of stage.querySelectorAll(".frame"))
      if (other !== frame && view.zoom) {
        other.scrollLeft = frame.scrollLeft;
        other.scrollTop = frame.scrollTop;
      }
  }

  function drag(frame) {
    frame.addEventListener("pointerdown", (event) => {
      if (!view.zoom || event.pointerType !== "mouse" || event.button) return;
      frame.setPointerCapture(event.pointerId);
      frame.classList.add("dragged");
    });
    frame.addEventListener("pointermove", (event) => {
      if (!frame.classList.contains("dragged")) return;
      frame.scrollBy(-event.movementX, -event.movementY);
    });
    for (const kind of ["pointerup", "pointercancel"])
      frame.addEventListener(kind, () => frame.classList.remove("dragged"));
    frame.addEventListener("dblclick", () => zoom());
  }

  function apply() {
    const level = ZOOMS[view.zoom];
    for (const frame of stage.querySelectorAll(".frame")) {
      const canvas = frame.firstElementChild;
      if (view.zoom && !frame.classList.contains("zoomed")) {
        // The frame keeps its size while the picture grows in it.
        frame.style.height = frame.offsetHeight + "px";
        frame.dataset.width = canvas.offsetWidth;
      }
      frame.classList.toggle("zoomed", view.zoom > 0);
      if (!view.zoom) frame.style.height = "";
      canvas.style.width = view.zoom ? level * frame.dataset.width + "px" : fitting();
      canvas.classList.toggle("plain", !view.boxes);
    }
  }

  // As wide as its height on the screen allows.
  function fitting() {
    const [width, height] = shown.size;
    return `calc(var(--fit) * ${(width / height).toFixed(4)})`;
  }

  function zoom() {
    view.zoom = (view.zoom + 1) % ZOOMS.length;
    apply();
    scrollTo(middle());
    return ZOOMS[view.zoom];
  }

  function scrollTo([x, y]) {
    for (const frame of stage.querySelectorAll(".frame")) {
      frame.scrollLeft = x * frame.scrollWidth - frame.clientWidth / 2;
      frame.scrollTop = y * frame.scrollHeight - frame.clientHeight / 2;
    }
  }

  // Where zooming goes: the middle of the boxes, or of the picture.
  function middle() {
    if (!shown.boxes.length) return [0.5, 0.5];
    const [width, height] = shown.size;
    const at = (low, high) =>
      (Math.min(...shown.boxes.map((box) => box.px[low])) +
        Math.max(...shown.boxes.map((box) => box.px[high]))) / 2;
    return [at(0, 2) / width, at(1, 3) / height];
  }

  function show(item) {
    shown = item;
    view = { boxes: view.boxes, swapped: false, zoom: 0 };
    const titles = item.pictures.length > 1 ? page.titles : ["Picture"];
    stage.className = stage.parentElement.parentElement.className =
      item.pictures.length > 1 ? "two" : "one";
    stage.replaceChildren(...titles.map((title, place) => figure(item, place, title)));
    apply();
  }

  return {
    show,
    prepare,
    zoom,
    toggleBoxes() {
      view.boxes = !view.boxes;
      apply();
      return view.boxes;
    },
    swap() {
      if (stage.children.length < 2) return false;
      view.swapped = !view.swapped;
      const { scrollLeft, scrollTop } = stage.querySelector(".frame");
      stage.append(stage.firstElementChild);
      for (const frame of stage.querySelectorAll(".frame")) {
        frame.scrollLeft = scrollLeft;
        frame.scrollTop = scrollTop;
      }
      return view.swapped;
    },
    get boxes() {
      return view.boxes;
    },
  };
}
