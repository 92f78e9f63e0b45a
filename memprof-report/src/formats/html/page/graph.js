// The flame graph: an icicle, the space on top, each path as wide as it and all under it are in the chosen measure.
//
// Where a measure has parts below zero (a difference; live bytes freed elsewhere), they are a second icicle beside the first, on
// the same scale. What is too narrow to draw is one hatched strip that says how much it is. Every frame is a node of the page, so
// that hovering, focus and screen readers work as everywhere.

/** Below this many pixels a path is part of its parent's strip. */
const NARROWEST = 2;

class Graph {
  /** `state` is the page's; `changed` is called when the measure or the side is chosen. */
  constructor(profile, state, changed) {
    this.profile = profile;
    this.state = state;
    this.changed = changed;
    this.query = '';
    this.box = document.getElementById('graph');
    this.frames = element('div', { class: 'frames', role: 'tree', 'aria-label': 'Flame graph' });
    this.frames.addEventListener('click', (event) => this.clicked(event));
    this.frames.addEventListener('keydown', (event) => this.pressed(event));
    this.search = element('input', {
      type: 'search', placeholder: 'Search functions and files', 'aria-label': 'Search the flame graph', 'aria-keyshortcuts': '/',
      spellcheck: 'false', autocomplete: 'off', oninput: () => this.searched(),
    });
    this.search.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.search.value === '') return;
      event.stopPropagation();
      this.find('');
    });
    this.found = element('p', { class: 'found', role: 'status' });
    this.whole = element('button', { type: 'button', class: 'plain', onclick: () => this.reset() }, 'Whole graph');
    this.back = element('button', { type: 'button', class: 'plain', onclick: () => this.goBack() }, 'Back');
    this.controls = element('div', { class: 'controls' });
    this.words = element('p', { class: 'words' });
    this.files = element('div', { class: 'files' });
    this.keys = element('p', { class: 'keys' });
    this.box.replaceChildren(
      element('div', { class: 'bar' }, element('h2', { id: 'graph-title' }), this.controls,
        element('div', { class: 'controls end' }, this.back, this.whole, this.search)),
      this.words, this.found, this.frames, this.files, this.keys);
    this.keys.append('Click or ', element('kbd', {}, 'Enter'), ' zooms, ', element('kbd', {}, 'Esc'), ' goes back. ',
      element('kbd', {}, '←'), ' ', element('kbd', {}, '↑'), ' ', element('kbd', {}, '↓'), ' ', element('kbd', {}, '→'),
      ' move between frames, ', element('kbd', {}, '/'), ' searches.');
    let width = 0;
    new ResizeObserver(() => {
      const now = this.frames.clientWidth;
      if (now !== width) requestAnimationFrame(() => this.draw());
      width = now;
    }).observe(this.frames);
  }

  get measure() {
    return MEASURES.find((measure) => measure.field === this.state.measure);
  }

  get sums() {
    return this.space.paths.sumsOf(this.state.measure, this.state.side);
  }

  /** Another space, measure or side. Zoom stays where the path is in what is shown now. */
  show(space) {
    if (space !== this.space) {
      this.space = space;
      this.zoom = { path: -1, part: 'whole' };
      this.past = [];
    }
    this.match();
    this.drawControls();
    this.draw();
  }

  drawControls() {
    const { state, profile } = this;
    const meaning = {
      at_peak: 'What each path owned when the space stood at its peak.',
      live: 'What each path owned when the profile was taken: leaks show here.',
      self_total: 'What each path ever allocated, freed or not: churn shows here.',
    };
    document.getElementById('graph-title').textContent = profile.isDiff ? 'Where it changed' : 'Where the memory is';
    this.controls.replaceChildren(
      choice('Measure', MEASURES.map(({ field, label }) => [field, label, meaning[field]]), state.measure, (field) => {
        state.measure = field;
        this.changed();
      }),
      profile.isDiff ? sideChoice(state, this.changed, 'Side of the graph') : '');
  }

  // ---- what is drawn ----

  draw() {
    if (!this.space) return;
    tips.hide();
    const { sums, frames, zoom } = this;
    const pixels = frames.clientWidth;
    const hadFocus = frames.contains(document.activeElement);
    const [up, down] = [sums.up(-1), sums.down(-1)];
    if (zoom.part !== 'whole' && sums[zoom.part](zoom.path) === 0) this.zoom = { path: -1, part: 'whole' };

    this.rows = [];
    const nodes = document.createDocumentFragment();
    const place = (spec) => {
      (this.rows[spec.depth] ??= []).push(spec);
      spec.node = this.frame(spec);
      nodes.append(spec.node);
      return spec;
    };
    const pending = [];
    const root = (part, left, width) => pending.push(place({ path: -1, part, left, width, depth: 0, parent: null }));
    if (this.zoom.part === 'whole') {
      if (up > 0) root('up', 0, up / (up + down));
      if (down > 0) root('down', up / (up + down), down / (up + down));
    } else {
      let parent = null;
      for (const path of [-1, ...this.space.paths.chain(this.zoom.path)]) {
        parent = place({ path, part: this.zoom.part, left: 0, width: 1, depth: parent ? parent.depth + 1 : 0, parent, around: path !== this.zoom.path });
      }
      pending.push(parent);
    }
    while (pending.length > 0) this.under(pending.pop(), pixels, place, pending, nodes);

    for (const row of this.rows) row.sort((a, b) => a.left - b.left);
    frames.replaceChildren(nodes);
    frames.style.height = `calc(${this.rows.length} * var(--row))`;
    frames.classList.toggle('searching', this.query !== '');
    frames.hidden = up + down === 0;
    this.rove(this.at(this.zoom.path) ?? this.rows[0]?.[0], hadFocus);
    this.back.hidden = this.past.length === 0;
    this.whole.hidden = this.zoom.part === 'whole';
    this.drawWords(up, down);
    this.drawFiles();
  }

  /** Puts the children of a frame that was placed; the widest first, what was folded last. */
  under(spec, pixels, place, pending, nodes) {
    const { paths } = this.space;
    const sum = this.sums[spec.part];
    const all = sum(spec.path);
    const children = paths.children(spec.path).filter((path) => sum(path) > 0);
    const last = (path) => (paths.site[path] === OTHER ? 1 : 0);
    children.sort((a, b) => last(a) - last(b) || sum(b) - sum(a) || a - b);
    let { left } = spec;
    let narrow = [];
    const strip = () => {
      const width = (spec.width * narrow.reduce((total, path) => total + sum(path), 0)) / all;
      if (narrow.length > 0 && width * pixels >= 0.5) nodes.append(this.strip(spec, narrow, left, width));
      if (narrow.length > 0) left += width;
      narrow = [];
    };
    for (const path of children) {
      const width = (spec.width * sum(path)) / all;
      if (width * pixels < NARROWEST) {
        narrow.push(path);
      } else {
        strip();
        pending.push(place({ path, part: spec.part, left, width, depth: spec.depth + 1, parent: spec, around: false }));
        left += width;
      }
    }
    strip();
  }

  frame(spec) {
    const { path, part, width } = spec;
    const { paths } = this.space;
    const value = this.sums[part](path);
    const node = element('div', {
      class: `frame ${this.look(path, part)}${spec.around ? ' around' : ''}${this.marks?.has(path) ? ' match' : ''}`,
      role: 'treeitem', tabindex: -1, 'aria-level': spec.depth + 1,
      'aria-label': `${this.nameOf(path, part)}, ${this.amount(value, part)}`,
    });
    node.spec = spec;
    if (width * this.frames.clientWidth >= 24) {
      node.append(bdi(this.nameOf(path, part), 'name'));
      if (width * this.frames.clientWidth >= 220) node.append(element('span', { class: 'less' }, this.amount(value, part, short)));
    }
    this.put(node, spec.depth, spec.left, width);
    return tips.on(node, () => pathTip(this.profile, this.space, path, this.state, part));
  }

  strip(parent, narrow, left, width) {
    const sum = this.sums[parent.part];
    const total = narrow.reduce((all, path) => all + sum(path), 0);
    const found = this.marks && narrow.some((path) => this.marks.hasWithin(path));
    const node = element('div', { class: `strip${found ? ' match' : ''}`, 'aria-hidden': 'true' });
    node.spec = parent;
    this.put(node, parent.depth + 1, left, width);
    return tips.on(node, () => `${counted(narrow.length, 'path')} too narrow to draw: ${this.amount(total, parent.part)}. Zoom in, or see the table.`);
  }

  put(node, depth, left, width) {
    node.style.left = `${left * 100}%`;
    node.style.width = `${width * 100}%`;
    node.style.top = `calc(${depth} * var(--row))`;
  }

  get isChange() {
    return this.profile.isDiff && this.state.side === 'change';
  }

  /** The class that colours a frame: by file; in a difference by direction, deeper the more of the frame is changed. */
  look(path, part) {
    const site = path < 0 ? null : this.space.paths.site[path];
    if (site === OTHER) return 'other';
    if (this.isChange) {
      const { paths } = this.space;
      const before = path < 0 ? Number(this.space.total(this.measure.total, 'before')) : paths.sumsOf(this.state.measure, 'before').up(path);
      const after = path < 0 ? Number(this.space.total(this.measure.total)) : paths.sumsOf(this.state.measure, 'after').up(path);
      const most = Math.max(before, after);
      const degree = most > 0 ? this.sums[part](path) / most : 1;
      return `${part === 'up' ? 'grown' : 'shrunk'} d${degree > 0.9 ? 3 : degree > 0.3 ? 2 : 1}`;
    }
    if (site === null) return 'root';
    if (site === OUTSIDE) return 'outside';
    const { tint } = this.profile.siteOf(this.space.paths, path);
    return tint === null ? 'named' : `t${tint}`;
  }

  nameOf(path, part) {
    if (path < 0) {
      if (this.isChange) return part === 'up' ? `${this.space.title}: grew` : `${this.space.title}: shrank`;
      return part === 'up' ? this.space.title : `${this.space.title}: below zero`;
    }
    return rowName(this.profile, this.space.paths, path, 'path');
  }

  /** The number with its sign and its share. */
  amount(value, part, write = bytes) {
    const sign = part === 'down' ? '−' : this.isChange ? '+' : '';
    const all = this.sums.up(-1) + this.sums.down(-1);
    return `${sign}${write(value)}${this.isChange ? '' : ` (${share(value, all)})`}`;
  }

  drawWords(up, down) {
    const { measure, space } = this;
    const level = space.total('at_peak_level');
    const peak = space.total('peak');
    let words;
    if (this.isChange) {
      words = up + down === 0
        ? `Nothing changed in this measure: ${measure.label.toLowerCase()}.`
        : ['Orange grew, blue shrank; deep colour where most of a frame is new or gone. Both are on one scale: ',
           element('strong', {}, `+${bytes(up)}`), ' and ', element('strong', {}, `−${bytes(down)}`), '. Width is bytes.'];
    } else if (up + down === 0) {
      words = { at_peak: `Nothing was held in ${space.title} at its peak.`, live: `Nothing was live in ${space.title} when the profile was taken: all was freed.`, self_total: `Nothing was allocated in ${space.title}.` }[measure.field];
    } else {
      const picture = measure.field === 'at_peak' && level !== peak && !this.profile.isDiff
        ? `, the last picture before the peak of ${bytes(peak)}` : '';
      const whose = {
        at_peak: `What each path owned when ${space.title} stood at its peak`,
        live: 'What each path owned when the profile was taken',
        self_total: 'What each path ever allocated, freed or not',
      }[measure.field];
      words = [`${whose}: `, element('strong', {}, bytes(up)), down > 0 ? [' and ', element('strong', {}, `−${bytes(down)}`)] : '',
        `${picture}. Width is bytes, colour is the source file; below a frame is what it called.`];
    }
    this.words.replaceChildren(...[words].flat(3));
    const folded = foldedWords(space.paths, 'path', measure, this.state.side);
    if (folded) this.words.append(' ', folded);
  }

  /** The files that own most in this measure: what the colours mean. */
  drawFiles() {
    const { paths } = this.space;
    this.files.replaceChildren();
    if (this.isChange) return;
    const sums = sumsByFile(this.profile, paths, this.state);
    const all = this.sums.up(-1);
    const most = [...sums].sort(([, a], [, b]) => b.sum - a.sum).slice(0, 10);
    for (const [file, { tint, sum }] of most) {
      const chip = element('button', { type: 'button', class: 'chip', onclick: () => this.find(this.search.value === file ? '' : file) },
        element('span', { class: `swatch t${tint}` }), bdi(file.split('/').slice(-2).join('/'), 'name'), element('span', { class: 'less' }, share(sum, all)));
      this.files.append(tips.on(chip, () => [file, `: its functions own ${bytes(sum)} themselves. Click to mark them.`].join('')));
    }
    if (sums.size > most.length) this.files.append(element('span', { class: 'less' }, `and ${counted(sums.size - most.length, 'more file')}`));
  }

  // ---- search ----

  find(text) {
    this.search.value = text;
    this.searched();
  }

  searched() {
    this.match();
    this.draw();
  }

  match() {
    this.query = oneLine(this.search.value).trim().toLowerCase();
    this.marks = this.query === '' ? null : searchPaths(this.profile, this.space.paths, this.sums, this.query);
    this.found.replaceChildren();
    if (!this.marks) return;
    const { count, up, down } = this.marks;
    const amounts = [up > 0 || down === 0 ? this.amount(up, 'up') : null, down > 0 ? this.amount(down, 'down') : null];
    this.found.append(`${counted(count, 'frame')} ${count === 1 ? 'matches' : 'match'}`,
      count > 0 ? `, with what ${count === 1 ? 'it' : 'they'} called: ` : '.',
      count > 0 ? element('strong', {}, amounts.filter(Boolean).join(' and ')) : '');
  }

  // ---- pointer and keyboard ----

  clicked(event) {
    const node = event.target.closest('.frame, .strip');
    if (node) this.zoomTo(node.spec.path, node.spec.part);
  }

  zoomTo(path, part) {
    const to = path < 0 && (part === 'up' ? this.sums.down(-1) : this.sums.up(-1)) === 0 ? { path: -1, part: 'whole' } : { path, part };
    if (to.path === this.zoom.path && to.part === this.zoom.part) return;
    this.past.push(this.zoom);
    this.zoom = to;
    this.draw();
  }

  goBack() {
    const before = this.past.pop();
    if (!before) return false;
    const from = this.zoom.path;
    this.zoom = before;
    this.draw();
    this.rove(this.at(from) ?? this.at(before.path) ?? this.rows[0]?.[0], this.frames.contains(document.activeElement));
    return true;
  }

  reset() {
    if (this.zoom.part !== 'whole') this.past.push(this.zoom);
    this.zoom = { path: -1, part: 'whole' };
    this.draw();
  }

  at(path) {
    return this.rows.flat().find((spec) => spec.path === path);
  }

  /** One frame is in the tab order: where the arrow keys stand. */
  rove(spec, focus) {
    if (this.current) this.current.node.tabIndex = -1;
    this.current = spec;
    if (!spec) return;
    spec.node.tabIndex = 0;
    if (focus) spec.node.focus();
  }

  pressed(event) {
    const { spec } = event.target;
    if (!spec || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rows[spec.depth];
    const place = row.indexOf(spec);
    const under = () => {
      const children = (this.rows[spec.depth + 1] ?? []).filter((child) => child.parent === spec);
      return children.reduce((widest, child) => (widest && widest.width >= child.width ? widest : child), null);
    };
    const to = {
      ArrowLeft: () => row[place - 1],
      ArrowRight: () => row[place + 1],
      ArrowUp: () => spec.parent,
      ArrowDown: under,
      Home: () => this.rows[0][0],
    }[event.key];
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.zoomTo(spec.path, spec.part);
    } else if (to) {
      event.preventDefault();
      const next = to();
      if (next) this.rove(next, true);
    }
  }
}

/** Which of the two profiles, or what changed between them. */
function sideChoice(state, changed, label) {
  const sides = [['change', 'Change', 'What the second profile has more or less than the first.'], ['before', 'Before', 'The first profile.'], ['after', 'After', 'The second profile.']];
  return choice(label, sides, state.side, (side) => {
    state.side = side;
    changed();
  });
}

/** What was folded to keep the page small; nothing where nothing was. */
function foldedWords(rows, what, measure, side) {
  let [count, sum] = [0, 0];
  for (const [row, number] of rows.folded) {
    count += number;
    sum += rows.number(measure.field, row, side);
  }
  return count === 0 ? '' : `${counted(count, `small ${what}`)} (${bytes(sum)} ${measure.words}) are folded into “(other)”, to keep this page small.`;
}
