// Ties charts (Vega) and tables (DataTables) together: what is hidden, and which two are picked.
// Everything else is these libraries' own doing.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const known = read("known"), specs = read("charts"), views = {};
const variants = new Map(known.variants.map((variant) => [variant.number, variant]));
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
let hidden = [], picked = [];

document.documentElement.classList.add("scripted");

function made(tag, text = "", options = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...options });
}

// ---- charts -----------------------------------------------------------------------------------
const PHONE_STEP = 16; // pixels, a row: answer, chart and the table's first rows on one screen

async function draw(place) {
  const element = document.getElementById(place);
  const spec = specs[place];
  if (spec.height.step && innerWidth < 600) spec.height.step = PHONE_STEP;
  const options = { actions: false, renderer: "svg", tooltip: { theme: "light" } };
  const { view } = await window.vegaEmbed(element, spec, options);
  view.addEventListener("click", (_, item) => item?.datum?.number && pick(item.datum.number));
  views[place] = view;
}

function tell(signal, value) {
  for (const view of Object.values(views)) view.signal(signal, value).runAsync();
}

// ---- tables -----------------------------------------------------------------------------------
async function tables() {
  const source = new Blob([read("datatables")], { type: "text/javascript" });
  const { default: DataTable } = await import(URL.createObjectURL(source));
  for (const table of all("table.data").filter((table) => table.rows.length > 3)) {
    const filter = (content) => ["order", [content]];
    const made = new DataTable(table, {
      autoWidth: false, info: false, order: [], ordering: { handler: false, indicators: false }, paging: false,
      layout: { topStart: null, topEnd: table.closest(".first") || table.rows.length < 8 ? null : "search" },
      columnDefs: [
        { targets: "level", columnControl: filter("searchList") },
        { targets: "_all", columnControl: filter("search") },
      ],
    });
    made.search.fixed("levels", (_, data, at) => !isHidden(made.row(at).node()));
    shownTables.push(made);
  }
}
const shownTables = [];

const isHidden = (row) => {
  const numbers = row.dataset.variants?.split(" ").map(Number) ?? [];
  return numbers.some((number) => hidden.includes(number));
};

// ---- levels that are hidden -------------------------------------------------------------------
function hide() {
  const without = all("#levels input:not(:checked)").map((box) => [+box.dataset.factor, box.value]);
  const away = (variant) => without.some(([factor, level]) => variant.levels[factor] === level);
  hidden = known.variants.filter(away).map((variant) => variant.number);
  tell("hidden", hidden);
  for (const table of shownTables) table.draw();
  for (const row of all("table.data:not(.dataTable) tbody tr")) row.hidden = isHidden(row);
}

// ---- two variants that are picked -------------------------------------------------------------
const dialog = document.getElementById("pair"), bar = document.getElementById("picked");
const [first, second] = all("select", dialog);

function pick(number) {
  if (!variants.has(number)) return;
  picked = picked.includes(number) ? picked.filter((one) => one !== number) : [...picked, number];
  show();
  if (picked.length === 2) open(...picked);
}

function show() {
  tell("picked", picked);
  for (const chip of all(".chip")) {
    chip.setAttribute("aria-pressed", picked.includes(+chip.dataset.variant));
  }
  bar.hidden = picked.length !== 1;
  const one = variants.get(picked[0]);
  if (one) bar.firstElementChild.textContent = `Variant ${one.number}: ${one.name}. Pick another.`;
}

function open(one, other) {
  [first.value, second.value] = [one, other];
  if (!dialog.open) dialog.showModal();
  compare();
}

const same = (a, b) => a === b || known.twins.some((group) => group.includes(a) && group.includes(b));

function pairOf(one, other) {
  const among = (is) =>
    known.pairs.find((p) => (is(p.a, one) && is(p.b, other)) || (is(p.a, other) && is(p.b, one)));
  return among(Object.is) ?? (same(one, other) ? undefined : among(same));
}

function said(one, other, pair) {
  if (one === other) return "Choose two different variants.";
  if (same(one, other)) {
    return `Variants ${one} and ${other} are the same network, bit for bit, in every common seed.`;
  }
  if (pair) {
    const others = [one, other].filter((number) => number !== pair.a && number !== pair.b);
    const kept = (n) => [pair.a, pair.b].find((tested) => same(tested, n));
    const why = others.map((n) => ` Variant ${n} is variant ${kept(n)}, bit for bit.`);
    return pair.words + why.join("");
  }
  const names = [one, other].map((number) => variants.get(number).quoted).join(" ");
  return `This pair isn't among those that the study tests. ${known.command} ${names}`;
}

async function compare() {
  const [one, other] = [+first.value, +second.value], pair = pairOf(one, other);
  dialog.querySelector(".statement").textContent = said(one, other, pair);
  const cells = ([head, text]) => {
    const row = made("tr");
    row.append(made("th", head), made("td", text));
    return row;
  };
  dialog.querySelector("tbody").replaceChildren(...(pair?.rows ?? []).map(cells));
  dialog.querySelector(".apart").hidden = !pair;
  if (pair) {
    dialog.querySelector(".which").textContent = `Variant ${pair.a} minus variant ${pair.b}:`;
    views["pair-chart"] ?? (await draw("pair-chart"));
    await views["pair-chart"].data("pair", apart(pair)).runAsync();
  }
  disagree(one, other);
}

function apart({ a, b, mean, seeds, together }) {
  const of = (number) => known.runs.filter((run) => run.number === number);
  const values = new Map(of(b).map((run) => [run.seed, run.value]));
  const differences = of(a)
    .filter((run) => values.has(run.seed))
    .map((run) => ({ seed: run.seed, value: +(run.value - values.get(run.seed)).toFixed(6) }));
  const [low, high] = seeds ?? [], [low_together, high_together] = together ?? [];
  const whole = [{ mean, low, high, low_together, high_together }];
  return [...whole.filter(() => mean !== null), ...differences];
}

// ---- images on which they disagree ------------------------------------------------------------
const MOST_CARDS = 24;
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function disagree(one, other) {
  const place = dialog.querySelector(".images"), note = dialog.querySelector(".count");
  place.replaceChildren();
  note.textContent = "";
  if (!known.images || one === other) return;
  const sides = [one, other].map((number) => {
    const of = known.images.of[number];
    return { number, n: of.n, right: bytes(of.right), mistaken: bytes(of.mistaken) };
  });
  const share = (side, at) => side.right[at] / side.n;
  const gap = (at) => Math.abs(share(sides[0], at) - share(sides[1], at));
  const found = [...known.images.index.keys()].filter((at) => gap(at) > 0);
  found.sort((a, b) => gap(b) - gap(a) || a - b);
  const of = known.images.all ? "" : ` of the ${known.images.index.length} that variants differ on most`;
  note.textContent = `${found.length} test images${of} are got right by a different share of runs.`;
  place.append(...found.slice(0, MOST_CARDS).map((at) => card(at, sides)));
}

function card(at, sides) {
  const index = known.images.index[at], shape = made("div", "", { className: "card" });
  const drawn = document.querySelector(`img[data-image="${index}"]`);
  const picture = made("div", drawn ? "" : "no picture kept", { className: "note" });
  if (drawn) picture.append(made("img", "", { src: drawn.src, alt: drawn.alt }));
  const words = made("div");
  words.append(made("p", `target ${known.images.target[at]}, test image ${index}`));
  for (const { number, n, right, mistaken } of sides) {
    const taken = mistaken[at] === 255 ? "" : `, else ${known.images.classes[mistaken[at]]}`;
    words.append(made("p", `variant ${number}: right in ${right[at]} of ${n} runs${taken}`));
  }
  shape.append(picture, words);
  return shape;
}

// ---- start ------------------------------------------------------------------------------------
for (const chip of all(".chip[data-variant]")) {
  Object.assign(chip, { role: "button", tabIndex: 0, title: "Pick two to compare them" });
  chip.addEventListener("click", () => pick(+chip.dataset.variant));
  chip.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") (event.preventDefault(), chip.click());
  });
}
for (const select of [first, second]) {
  select.append(...known.variants.map((v) => made("option", `${v.number}  ${v.name}`, { value: v.number })));
  select.addEventListener("change", compare);
}
document.getElementById("compare-two")?.addEventListener("click", () => {
  const [one, other] = known.variants;
  open(one.number, other.number);
});
bar.lastElementChild.addEventListener("click", () => ((picked = []), show()));
dialog.addEventListener("close", () => ((picked = []), show()));
for (const box of all("#levels input")) box.addEventListener("change", hide);
await Promise.all([...Object.keys(specs).filter((place) => place !== "pair-chart").map(draw), tables()]);
document.documentElement.dataset.ready = "";
