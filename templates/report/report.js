"use strict";
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const reveal = (id) => { find(id).hidden = false; };

  // What makes a part of the page handy comes when the part is near: there may be thousands.
  const dress = (part) => {
    for (const pre of all("pre", part)) {
      const box = make("div", { class: "copied" });
      pre.replaceWith(box);
      box.append(pre, make("button", { type: "button", "data-copy": "" }, "Copy"));
    }
    const node = bySection.get(Number(part.id.slice(1)));
    if (part.id && node !== undefined) find(".near", part).append(make("a", { href: "#around", "data-node": node }, "Show it in the picture"));
  };
  const bySection = new Map();
  const parts = all(".removals > li, .finding");
  const dressing = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) { dressing.unobserve(target); dress(target); }
  }, { rootMargin: "1500px" });

  const watch = () => { for (const part of parts) if (parts.length > 200) dressing.observe(part); else dress(part); };
  const select = (element) => getSelection().selectAllChildren(element);
  document.addEventListener("click", async ({ target }) => {
    if (!(target instanceof HTMLElement) || target.dataset.copy === undefined) return;
    const command = find("code", target.parentElement);
    let said = "Copied";
    try { await navigator.clipboard.writeText(command.textContent); } catch { select(command); said = "Selected"; }
    target.textContent = said;
    setTimeout(() => { target.textContent = "Copy"; }, 1500);
  });

  // The table: filter and sort.
  const heads = all("#table thead th");
  const body = find("#table tbody");
  const ranks = ["FAILED", "EXEMPT", "PASSED", "CRITICAL", "HIGH", "MEDIUM", "LOW", ""];
  const rows = [...body.rows].map((element) => ({ element, text: null }));
  const cell = (row, at) => row.element.cells[at].textContent.trim();
  const text = (row) => row.text ??= [...row.element.cells].map((one) => one.textContent).join(" ").toLowerCase();
  const selects = all("#filters select");
  for (const element of selects) {
    const at = heads.findIndex((head) => head.dataset.column === element.dataset.column);
    element.dataset.at = at;
    const values = [...new Set(rows.map((row) => cell(row, at)))].filter(Boolean);
    const isRanked = heads[at].dataset.sort === "rank";
    values.sort(isRanked ? (a, b) => ranks.indexOf(a) - ranks.indexOf(b) : undefined);
    element.append(...values.map((value) => make("option", {}, value)));
  }
  const filter = () => {
    const words = find("#filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = selects.filter((element) => element.value !== "").map((element) => [element.dataset.at, element.value]);
    let shown = 0;
    for (const row of rows) {
      const fits = chosen.every(([at, value]) => cell(row, at) === value) && words.every((word) => text(row).includes(word));
      if (fits) shown += 1;
      if (row.element.hidden === fits) row.element.hidden = !fits;
    }
    find("#shown").textContent = `${shown} of ${rows.length} groups shown`;
  };
  find("#filter").addEventListener("input", filter);
  for (const element of selects) element.addEventListener("change", filter);
  filter();
  reveal("#filters");
  // The words of all rows are gathered while nothing else is to be done, so that the first filter need not.
  const gather = (deadline) => {
    const left = rows.filter((row) => row.text === null);
    while (left.length > 0 && deadline.timeRemaining() > 2) text(left.pop());
    if (left.length > 0) requestIdleCallback(gather);
  };
  (globalThis.requestIdleCallback ?? (() => {}))(gather);

  const compare = {
    rank: (a, b) => ranks.indexOf(a) - ranks.indexOf(b),
    text: (a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : Number(a.toLowerCase() > b.toLowerCase()),
    number: (a, b) => (a === "" ? -1 : Number(a)) - (b === "" ? -1 : Number(b)),
  };
  const sort = (head) => {
    const at = heads.indexOf(head);
    // Numbers begin with the largest.
    const first = head.dataset.sort === "number" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    for (const one of heads) one.setAttribute("aria-sort", one === head ? order : "none");
    const keys = new Map(rows.map((row) => [row, cell(row, at)]));
    rows.sort((a, b) => sign * compare[head.dataset.sort](keys.get(a), keys.get(b)));
    body.append(...rows.map((row) => row.element));
  };
  for (const head of heads) {
    if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    const button = make("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => sort(head));
    head.replaceChildren(button);
  }

  // The neighbourhood of a group: sources at the left, targets at the right.
  const data = JSON.parse(find("#data").textContent);
  if (data.nodes.length === 0) { watch(); return; }
  const sources = data.nodes.map(() => []);
  const targets = data.out.map((row, from) => {
    const edges = [];
    for (let at = 0; at < row.length; at += 2) {
      const edge = { from, to: row[at], carried: data.carried[row[at + 1] >> 1], exempt: row[at + 1] % 2 === 1 };
      edges.push(edge);
      sources[edge.to].push(edge);
    }
    return edges;
  });
  const keys = (door) => data.keys[door] ?? [door];
  const doors = data.nodes.map(() => []);
  data.nodes.forEach((_, door) => keys(door).forEach((key) => doors[key].push(door)));
  const MOST = 40, WIDTH = 188, HEIGHT = 42, ROW = 54, COLUMN = 262;
  const name = (node) => data.nodes[node][0];
  const map = find("#map"), pick = find("#pick"), hops = find("#hops");
  let whole = [0, 0, 1, 1], view = whole;

  /** The columns to one side: which nodes, and by which edges; `through` is the group on whose machine a chain goes on. */
  const columns = (start, edgesOf, endOf, onward) => {
    const seen = new Set([start]);
    const passed = new Set([start]);
    const found = [];
    let border = [[start, start]];
    for (let hop = 0; hop < Number(hops.value); hop += 1) {
      const column = new Map();
      const next = [];
      for (const [node, shown] of border) {
        for (const edge of edgesOf(node)) {
          const end = endOf(edge);
          if (seen.has(end) && !column.has(end)) continue;
          seen.add(end);
          if (!column.has(end)) column.set(end, []);
          column.get(end).push({ near: shown, through: node, edge });
        }
      }
      for (const end of column.keys()) {
        for (const on of onward(end)) if (!passed.has(on)) { passed.add(on); next.push([on, end]); }
      }
      if (column.size > 0) found.push(column);
      border = next;
    }
    return found;
  };
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const short = (words) => words.length > 23 ? `${[...words].slice(0, 22).join("")}…` : words;
  const box = (node, x, y, chosen) => {
    const [label, id, verdict] = data.nodes[node];
    const group = svg("g", { class: `node ${verdict.toLowerCase() || "outside"}${chosen ? " chosen" : ""}`, tabindex: 0, role: "button", "aria-label": `${label} ${id} ${verdict}` },
      svg("title", {}, `${label} ${id}`), svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 7 }), svg("rect", { class: "side", x, y: y + 8, width: 4, height: 26 }),
      svg("text", { x: x + 14, y: y + 18 }, short(label)), svg("text", { class: "sub", x: x + 14, y: y + 33 }, verdict || "not in the files"));
    group.addEventListener("click", () => show(node));
    group.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(node); map.focus(); } });
    return group;
  };
  const look = (next) => { view = next; map.setAttribute("viewBox", view.join(" ")); };
  const zoom = (factor) => look([view[0] + view[2] * (1 - factor) / 2, view[1] + view[3] * (1 - factor) / 2, view[2] * factor, view[3] * factor]);
  const move = (x, y) => look([view[0] + x * view[2], view[1] + y * view[3], view[2], view[3]]);

  const show = (node) => {
    pick.value = name(node);
    const left = columns(node, (door) => sources[door], (edge) => edge.from, (key) => doors[key]);
    const right = columns(node, (key) => targets[key], (edge) => edge.to, keys);
    const placed = new Map([[node, [0, 0]]]);
    const wires = [], boxes = [], lists = [];
    let most = 0;
    const draw = (column, side, number) => {
      const nodes = [...column.keys()].slice(0, MOST);
      most = Math.max(most, nodes.length + 1, 1);
      const x = side * number * COLUMN;
      const list = make("ul");
      nodes.forEach((end, place) => {
        const y = (place - (nodes.length - 1) / 2) * ROW;
        placed.set(side * (end + 1), [x, y]);
        boxes.push(box(end, x, y, false));
        const ways = column.get(end).map(({ near, through, edge }) => {
          const start = near === node ? [0, 0] : placed.get(side * (near + 1));
          if (start) {
            const [from, to] = side < 0 ? [[x, y], start] : [start, [x, y]];
            const [x1, y1, x2, y2] = [from[0] + WIDTH, from[1] + HEIGHT / 2, to[0] - 2, to[1] + HEIGHT / 2];
            wires.push(svg("path", { class: `wire ${edge.exempt ? "exempt" : "open"}`, d: `M${x1} ${y1}C${x1 + 37} ${y1} ${x2 - 37} ${y2} ${x2} ${y2}` }));
          }
          return `${side < 0 ? "to" : "from"} ${name(near)}${through === near ? "" : `, as ${name(through)} on the same machine`} (${edge.carried}${edge.exempt ? ", exempt" : ""})`;
        });
        const more = ways.length > 4 ? ` and ${ways.length - 4} more` : "";
        list.append(make("li", {}, make("b", {}, make("bdi", {}, name(end))), ` ${ways.slice(0, 4).join("; ")}${more}`));
      });
      if (column.size > MOST) {
        list.append(make("li", {}, `and ${column.size - MOST} more`));
        boxes.push(svg("text", { x: x + 14, y: (nodes.length + 1) / 2 * ROW }, `and ${column.size - MOST} more`));
      }
      lists.push(make("div", {}, make("h4", {}, `${side < 0 ? "Sources" : "Targets"}, ${number} ${number === 1 ? "hop" : "hops"}`), list));
    };
    left.forEach((column, at) => draw(column, -1, at + 1));
    right.forEach((column, at) => draw(column, 1, at + 1));
    map.replaceChildren(...wires, ...boxes, box(node, 0, 0, true));
    find("#around-list").replaceChildren(...lists);
    const count = (side) => side.reduce((sum, column) => sum + column.size, 0);
    find("#around-words").replaceChildren(make("bdi", {}, name(node)), `: within ${hops.value} ${hops.value === "1" ? "hop" : "hops"}, ${count(left)} reach it and it reaches ${count(right)}.`);
    const height = Math.max(most, 4) * ROW;
    map.setAttribute("height", Math.min(height, 560));
    whole = [-left.length * COLUMN - 16, -height / 2 + HEIGHT / 2, (left.length + right.length) * COLUMN + WIDTH + 32, height];
    look(whole);
  };

  // Which group: by name or id, by a link of its section, or by a box.
  const meant = (words) => {
    const wanted = words.trim().toLowerCase();
    if (wanted === "") return -1;
    const exact = data.nodes.findIndex(([label, id]) => id.toLowerCase() === wanted || label.toLowerCase() === wanted);
    return exact >= 0 ? exact : data.nodes.findIndex(([label, id]) => `${label} ${id}`.toLowerCase().includes(wanted));
  };
  pick.addEventListener("input", () => {
    const wanted = pick.value.trim().toLowerCase();
    const fits = data.nodes.filter(([label, id]) => `${label} ${id}`.toLowerCase().includes(wanted)).slice(0, 20);
    find("#picks").replaceChildren(...fits.map(([label, id]) => make("option", { value: id }, label)));
  });
  const choose = () => {
    const node = meant(pick.value);
    if (node >= 0) show(node); else find("#around-words").textContent = "No group with open trust has this name or id.";
  };
  pick.addEventListener("change", choose);
  hops.addEventListener("change", choose);
  find("#zoom-in").addEventListener("click", () => zoom(0.8));
  find("#zoom-out").addEventListener("click", () => zoom(1.25));
  find("#zoom-all").addEventListener("click", () => look(whole));
  map.addEventListener("keydown", (event) => {
    const acts = { ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1), "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: () => look(whole) };
    if (acts[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); acts[event.key](); }
  });
  map.addEventListener("wheel", (event) => { if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY < 0 ? 0.9 : 1.11); } }, { passive: false });
  let dragged = null;
  map.addEventListener("pointerdown", (event) => { if (event.target === map) { dragged = [event.clientX, event.clientY]; map.setPointerCapture(event.pointerId); } });
  map.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    move((dragged[0] - event.clientX) / map.clientWidth, (dragged[1] - event.clientY) / map.clientHeight);
    dragged = [event.clientX, event.clientY];
  });
  map.addEventListener("pointerup", () => { dragged = null; });
  data.nodes.forEach(([, , , section], node) => { if (section !== null) bySection.set(section, node); });
  document.addEventListener("click", ({ target }) => { if (target instanceof HTMLElement && target.dataset.node) show(Number(target.dataset.node)); });
  reveal("#around");
  const busiest = data.nodes.map((_, node) => sources[node].length * targets[node].length + targets[node].length + sources[node].length);
  show(busiest.indexOf(busiest.reduce((a, b) => Math.max(a, b))));
  watch();
})();
