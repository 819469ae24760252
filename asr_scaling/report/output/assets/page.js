"use strict";
(() => {
  const KEYS = ["model", "device", "length", "batch"];
  const PAGE = 200;
  const SHORT = 24;
  const chosen = Object.fromEntries(KEYS.map((key) => [key, new Set()]));
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const pick = (data) => Object.fromEntries(KEYS.filter((key) => data[key] !== undefined).map((key) => [key, data[key]]));
  /* What has no such key is about all of its values. */
  const shown = (keys) => KEYS.every((key) => keys[key] === undefined || !chosen[key].size || chosen[key].has(keys[key]));

  /* Numbers before words, and what has no order last whichever way the column is sorted. */
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -sign : sign;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  };

  const order = (cell) => {
    const text = cell.dataset.sort;
    if (text === undefined) return null;
    return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  };

  /* A table's rows, wherever they are: elements of the page, or data of which a part becomes elements. */
  class Grid {
    constructor(table) {
      this.table = table;
      this.body = table.tBodies[0];
      this.heads = all("th", table);
      const figure = table.closest("figure");
      const data = figure.querySelector("script[type='application/json']");
      this.pages = figure.querySelector(".pages");
      this.rows = data ? this.unpacked(JSON.parse(data.textContent)) : this.present();
      this.size = data ? PAGE : Infinity;
      this.start = 0;
      this.by = null;
      this.sign = 1;
      this.heads.forEach((head, i) => head.querySelector("button").addEventListener("click", () => this.sort(i)));
      const [back, on] = all("button", this.pages);
      back.addEventListener("click", () => this.turn(-this.size));
      on.addEventListener("click", () => this.turn(this.size));
    }

    present() {
      return all("tr", this.body).map((element, number) => {
        const cells = [...element.cells];
        cells.forEach((cell, i) => this.style(cell, i));
        return { number, keys: pick(element.dataset), orders: cells.map(order), element: () => element };
      });
    }

    unpacked({ keys, notes, rows }) {
      return rows.map(([key, cells], number) => ({
        number,
        keys: keys[key],
        orders: cells.map((cell) => cell[1]),
        element: () => this.element(cells, notes),
      }));
    }

    element(cells, notes) {
      const row = document.createElement("tr");
      cells.forEach(([html, , note], i) => {
        const cell = row.insertCell();
        cell.innerHTML = html; /* escaped when the report was written */
        this.style(cell, i);
        if (note) {
          cell.classList.add("noted");
          cell.title = notes[note];
        }
      });
      return row;
    }

    style(cell, i) {
      cell.classList.toggle("number", this.heads[i].classList.contains("number"));
      cell.classList.toggle("short", cell.textContent.length <= SHORT);
    }

    sort(column) {
      if (this.by !== column) [this.by, this.sign] = [column, 1];
      else if (this.sign > 0) this.sign = -1;
      else [this.by, this.sign] = [null, 1];
      const said = this.sign > 0 ? "ascending" : "descending";
      this.heads.forEach((head, i) => head.setAttribute("aria-sort", i === this.by ? said : "none"));
      const { by, sign } = this;
      this.rows.sort((a, b) => (by === null ? 0 : compare(a.orders[by], b.orders[by], sign)) || a.number - b.number);
      this.show();
    }

    show() {
      this.view = this.rows.filter((row) => shown(row.keys));
      this.start = 0;
      this.draw();
    }

    turn(by) {
      this.start += by;
      this.draw();
      this.table.closest("figure").scrollIntoView({ block: "start" });
    }

    draw() {
      const end = Math.min(this.start + this.size, this.view.length);
      const part = this.view.slice(this.start, end);
      this.body.replaceChildren(...(part.length ? part.map((row) => row.element()) : [this.nothing()]));
      this.pages.hidden = this.view.length <= this.size;
      const [back, on] = all("button", this.pages);
      back.disabled = this.start === 0;
      on.disabled = end === this.view.length;
      const count = this.view.length.toLocaleString("en");
      this.pages.querySelector("span").textContent = `rows ${this.start + 1} to ${end} of ${count}`;
    }

    nothing() {
      const row = document.createElement("tr");
      const cell = row.insertCell();
      cell.colSpan = this.heads.length;
      cell.className = "nothing";
      cell.textContent = this.rows.length ? "No row is about what the filter shows." : "No rows.";
      return row;
    }
  }

  const grids = all("table[data-name]").map((table) => new Grid(table));
  const marks = all(".mark").map((element) => ({ element, keys: pick(element.dataset) }));
  const points = grids.find((grid) => "points" in grid.table.dataset);
  const bar = document.getElementById("filter");
  const chips = all(".chip", bar).map((element) => {
    const { key } = element.closest("details").dataset;
    return { element, key, value: element.dataset.value };
  });
  let place = "";

  const apply = () => {
    grids.forEach((grid) => grid.show());
    marks.forEach(({ element, keys }) => element.classList.toggle("off", !shown(keys)));
    chips.forEach(({ element, key, value }) => element.setAttribute("aria-pressed", chosen[key].has(value)));
    all("details", bar).forEach((group) => {
      const values = [...chosen[group.dataset.key]];
      group.querySelector(".said").textContent = values.length ? values.join(", ") : "all";
      group.classList.toggle("set", values.length > 0);
    });
    bar.querySelector(".reset").hidden = !KEYS.some((key) => chosen[key].size);
    if (!points) return;
    const [some, every] = [points.view.length, points.rows.length].map((n) => n.toLocaleString("en"));
    bar.querySelector(".count").textContent = some === every ? `${every} points` : `${some} of ${every} points`;
  };

  /* The place in the page and the filter are both in the address: #study&model=a&model=b */
  const remember = (add) => {
    const query = new URLSearchParams(KEYS.flatMap((key) => [...chosen[key]].map((value) => [key, value]))).toString();
    const address = `#${[place, query].filter(Boolean).join("&")}`;
    window.history[add ? "pushState" : "replaceState"](null, "", address);
  };

  const recall = () => {
    const parts = window.location.hash.slice(1).split("&");
    place = parts[0].includes("=") ? "" : decodeURIComponent(parts.shift());
    KEYS.forEach((key) => chosen[key].clear());
    for (const [key, value] of new URLSearchParams(parts.join("&"))) {
      if (chips.some((chip) => chip.key === key && chip.value === value)) chosen[key].add(value);
    }
    apply();
    if (place) document.getElementById(place)?.scrollIntoView();
  };

  const close = (except) => all("details[open]", bar).forEach((group) => group !== except && (group.open = false));

  chips.forEach(({ element, key, value }) => {
    element.addEventListener("click", () => {
      if (!chosen[key].delete(value)) chosen[key].add(value);
      apply();
      remember(false);
    });
  });
  bar.querySelector(".reset").addEventListener("click", () => {
    KEYS.forEach((key) => chosen[key].clear());
    close();
    apply();
    remember(false);
  });
  all("details", bar).forEach((group) => group.addEventListener("toggle", () => group.open && close(group)));
  all("nav a, .skip").forEach((link) => {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      place = link.hash.slice(1);
      remember(true);
      document.getElementById(place).scrollIntoView();
    });
  });

  /* Tooltips for fingers. */
  const bubble = document.getElementById("bubble");
  document.addEventListener("click", (event) => {
    if (!bar.contains(event.target)) close();
    const noted = event.target.closest?.(".noted, .mark");
    const text = noted && (noted.getAttribute("title") || noted.querySelector(":scope > title")?.textContent);
    bubble.hidden = !text;
    if (!text) return;
    bubble.textContent = text;
    const room = document.documentElement.clientWidth - bubble.offsetWidth - 8;
    bubble.style.left = `${Math.max(8, Math.min(event.clientX, room))}px`;
    bubble.style.top = `${event.clientY + 14}px`;
  });
  document.addEventListener("scroll", () => (bubble.hidden = true), { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    bubble.hidden = true;
    close();
  });

  all(".command").forEach((command) => {
    const button = command.querySelector(".copy");
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(command.querySelector("code"));
      }
    });
  });

  const links = Object.fromEntries(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => entries.forEach(({ target, isIntersecting }) => links[target.id]?.classList.toggle("here", isIntersecting)),
    { rootMargin: "-20% 0px -70% 0px" },
  );
  all("main > section").forEach((section) => seen.observe(section));

  const contents = document.querySelector("nav details");
  if (window.matchMedia("(max-width: 71.9rem)").matches) contents.open = false;
  bar.hidden = !chips.length;
  window.addEventListener("hashchange", recall);
  window.addEventListener("popstate", recall);
  recall();
})();
