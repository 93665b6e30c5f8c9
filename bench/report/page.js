"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Sorting: numbers where cells carry data-key, else text; cells without a value stay last in both directions.
function compareCells(a, b) {
  const [x, y] = [a.dataset.key, b.dataset.key];
  if (x === undefined || y === undefined) return a.textContent.localeCompare(b.textContent, undefined, {numeric: true});
  return Number(x) - Number(y);
}
for (const table of all("table.sortable")) {
  const body = table.tBodies[0];
  all("thead th", table).forEach((th, column) => th.querySelector("button").addEventListener("click", () => {
    const down = th.getAttribute("aria-sort") === "ascending";
    const empty = row => row.cells[column].textContent.trim() === "" || row.cells[column].dataset.key === "";
    const rows = [...body.rows].sort((a, b) =>
      empty(a) - empty(b) || (down ? -1 : 1) * compareCells(a.cells[column], b.cells[column]));
    all("thead th", table).forEach(other => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  }));
}

// Filtering: runs and the rows of the tables obey; a table without a row disappears, and its block with it.
const controls = all("[data-filter]");
function filter() {
  const wanted = Object.fromEntries(controls.map(c => [c.dataset.filter, c.type === "checkbox" ? c.checked : c.value]));
  const fits = item => ["dataset", "architecture", "recipe", "objective"].every(
    key => !wanted[key] || item.dataset[key] === undefined || item.dataset[key] === wanted[key])
    && !(wanted.failures && item.dataset.failures === "no");
  for (const item of all("[data-objective]")) item.hidden = !fits(item);
  for (const table of all(".summary")) {
    table.hidden = !fits(table) || !all("tbody tr", table).some(row => !row.hidden);
    document.getElementById(table.dataset.block).hidden = table.hidden;
  }
  const runs = all("details.run").filter(run => !run.hidden).length;
  document.querySelector("#none").hidden = runs > 0;
  document.querySelector("#runs").hidden = runs === 0;
  document.querySelector("#shown").textContent = `${runs} of ${all("details.run").length} runs shown`;
}
controls.forEach(control => control.addEventListener("change", filter));
document.querySelector("#reset").addEventListener("click", () => {
  controls.forEach(c => { if (c.type === "checkbox") c.checked = false; else c.value = ""; });
  filter();
});
filter();

// What the curves are drawn against; a figure without a drawing against that keeps the one it shows.
for (const choice of all("input[data-axis]")) {
  choice.addEventListener("change", () => {
    for (const figure of all("figure", choice.closest("section"))) {
      const drawings = all("[data-drawn]", figure);
      if (!drawings.some(d => d.dataset.drawn === choice.dataset.axis)) continue;
      drawings.forEach(d => { d.hidden = d.dataset.drawn !== choice.dataset.axis; });
    }
  });
}

// Sample pictures over iterations: each strip shows its last frame up to the chosen one.
for (const slider of all("input[data-frames]")) {
  const steps = JSON.parse(slider.dataset.frames);
  const show = () => {
    const step = steps[slider.value];
    const text = `iteration ${step}`;
    slider.setAttribute("aria-valuetext", text);
    slider.parentElement.querySelector("output").textContent = text;
    for (const image of all("img[data-steps]", slider.closest("section"))) {
      const own = JSON.parse(image.dataset.steps);
      const frame = Math.max(0, own.filter(s => s <= step).length - 1);
      image.style.objectPosition = own.length > 1 ? `${100 * frame / (own.length - 1)}% 0` : "0 0";
      image.parentElement.querySelector(".step").textContent = own[frame] === step ? "" : ` (at ${own[frame]})`;
    }
  };
  slider.addEventListener("input", show);
  show();
}
