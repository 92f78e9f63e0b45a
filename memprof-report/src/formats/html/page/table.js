// The table: every column of the record, one row per site, per path or per crate, exact.

/** So many rows are drawn at first, and at each step further. */
const STEP = 100;

class Table {
  constructor(profile, state, changed, showPath, showCrate) {
    this.profile = profile;
    this.state = state;
    this.changed = changed;
    this.showPath = showPath;
    this.showCrate = showCrate;
    this.box = document.getElementById('table');
    this.open = new Set();
    this.filter = element('input', {
      type: 'search', placeholder: 'Filter rows', 'aria-label': 'Filter the table by function or file', spellcheck: 'false', autocomplete: 'off',
      oninput: () => this.refresh(),
    });
    this.filter.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.filter.value === '') return;
      event.stopPropagation();
      this.filter.value = '';
      this.refresh();
    });
    this.controls = element('div', { class: 'controls' });
    this.kinds = element('div', { class: 'controls' });
    this.words = element('p', { class: 'words', role: 'status' });
    this.head = element('thead');
    this.body = element('tbody');
    this.after = element('div', { class: 'after' });
    this.scroll = element('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Table, scrolls sideways' },
      element('table', {}, this.head, this.body));
    this.box.replaceChildren(
      element('div', { class: 'bar' }, element('h2', { id: 'table-title' }, 'Every number'), this.controls,
        element('div', { class: 'controls end' }, this.filter)),
      this.kinds, this.words, this.scroll, this.after);
    this.body.addEventListener('click', (event) => this.clicked(event));
    this.body.addEventListener('keydown', (event) => this.pressed(event));
  }

  show(space) {
    if (space !== this.space) {
      this.space = space;
      this.open.clear();
    }
    this.refresh();
  }

  get rows() {
    return this.space[this.state.rows];
  }

  /** Of crates there are numbers that add up, and no others. */
  get fields() {
    const { fields } = this.profile;
    return this.state.rows === 'crates' ? fields.filter((field) => field.additive) : fields;
  }

  /** By what the rows are sorted: of crates by what they held at the peak, where the column is none of theirs. */
  get sort() {
    const { sort } = this.state;
    return sort.field === 'name' || this.fields.some((field) => field.name === sort.field) ? sort : { field: MEASURES[0].field, down: true };
  }

  /** The columns that were asked for, or else those that say something; the words above the table name the others. */
  columns() {
    const { fields } = this;
    const asked = this.profile.columns?.map((name) => fields.find((field) => field.name === name)).filter(Boolean);
    const said = asked?.length > 0 ? asked : fields.filter((field) => !this.rows.isZero(field.name));
    return { shown: this.state.allColumns ? fields : said, left: fields.filter((field) => !said.includes(field)), asked };
  }

  refresh() {
    if (!this.space) return;
    const { profile, state } = this;
    const { shown, left, asked } = this.columns();
    this.shown = shown;
    const kinds = [
      ['sites', 'Sites', 'A row for each function or block, on whatever path it was entered.'],
      ['paths', 'Paths', 'A row for each way on which a function or block was reached.'],
      ['crates', 'Crates', 'A row for each crate: what its functions own themselves.'],
    ];
    this.controls.replaceChildren(
      choice('Rows', kinds.filter(([rows]) => rows !== 'crates' || profile.crates.length > 0), state.rows, (rows) => {
        state.rows = rows;
        this.open.clear();
        this.refresh();
      }));
    this.list = this.sorted();
    this.limit = STEP;
    this.drawHead();
    this.drawRows();
    this.drawWords(left, asked);
  }

  /** The rows that fit the filter and the chosen kind of change, in the chosen order. */
  sorted() {
    const { rows, profile, state } = this;
    const has = matcher(profile, this.filter.value);
    const found = [];
    const kinds = { all: 0, grown: 0, shrunk: 0, new: 0, gone: 0 };
    for (let row = 0; row < rows.count; row++) {
      if (!has(profile.siteOf(rows, row))) continue;
      if (profile.isDiff) {
        const kind = this.kindOf(row);
        // What is outside any scope, and what is folded, is no site.
        if (rows.site[row] >= 0) {
          kinds.all += 1;
          if (kind) kinds[kind] += 1;
        }
        if (state.kind !== 'all' && state.kind !== kind) continue;
      }
      found.push(row);
    }
    if (profile.isDiff) this.drawKinds(kinds);
    const { field, down } = this.sort;
    const turn = down ? -1 : 1;
    if (field === 'name') {
      const text = (row) => profile.siteOf(rows, row).text;
      const texts = new Map(found.map((row) => [row, text(row)]));
      return found.sort((a, b) => (texts.get(a) < texts.get(b) ? -turn : texts.get(a) > texts.get(b) ? turn : a - b));
    }
    // A change is worth as much downwards as upwards.
    const side = state.side;
    const value = new Float64Array(rows.count);
    for (const row of found) value[row] = side === 'change' ? Math.abs(rows.number(field, row, side)) : rows.number(field, row, side);
    return found.sort((a, b) => turn * (value[a] - value[b]) || a - b);
  }

  // ---- a difference ----

  /** By the field that the table is sorted by. */
  kindOf(row) {
    const side = this.rows.sides?.[row];
    if (side === 1) return 'gone';
    if (side === 2) return 'new';
    const change = this.rows.number(this.changeField, row, 'change');
    return change > 0 ? 'grown' : change < 0 ? 'shrunk' : null;
  }

  get changeField() {
    return this.sort.field !== 'name' ? this.sort.field : this.state.rows === 'crates' ? MEASURES[0].field : 'memory_peak';
  }

  drawKinds(kinds) {
    const { state } = this;
    const by = this.changeField;
    const options = [
      ['all', 'All', 'Every row of both profiles.'],
      ['grown', 'Grown', `In both, with more ${by} now. The column that the table is sorted by decides.`],
      ['shrunk', 'Shrunk', `In both, with less ${by} now. The column that the table is sorted by decides.`],
      ['new', 'New', 'Only in the second profile.'],
      ['gone', 'Gone', 'Only in the first profile.'],
    ].map(([kind, label, tip]) => [kind, `${label} ${thousands(kinds[kind])}`, tip]);
    this.kinds.replaceChildren(
      choice('Kind of change', options, state.kind, (kind) => {
        state.kind = kind;
        this.refresh();
      }),
      sideChoice(state, this.changed, 'Side of the table'),
      element('span', { class: 'less' }, `grown and shrunk by ${by}`));
  }

  // ---- what is drawn ----

  drawHead() {
    const { state, sort } = this;
    const header = (name, label, unit, meaning) => {
      const chosen = sort.field === name;
      const button = element('button', {
        type: 'button', 'data-field': name,
        onclick: () => {
          state.sort = { field: name, down: chosen ? !sort.down : name !== 'name' };
          this.refresh();
          this.head.querySelector(`[data-field="${name}"]`).focus();
        },
      }, label, unit ? element('span', { class: 'unit' }, unit) : null);
      return element('th', {
        scope: 'col', class: name === 'name' ? 'who' : null,
        'aria-sort': chosen ? (sort.down ? 'descending' : 'ascending') : null,
      }, tips.on(button, () => meaning));
    };
    const who = state.rows === 'crates'
      ? ['crate', 'functions', 'The crate, and how many of its functions own anything. Click a row for these.']
      : [state.rows === 'paths' ? 'path' : 'function or block', 'file and line',
        'The function or block, and where it is in the source. Click a row for the frames above it.'];
    this.head.replaceChildren(element('tr', {},
      header('name', ...who),
      this.shown.map((field) => header(field.name, field.name, field.unit, field.meaning))));
  }

  drawRows() {
    const part = this.list.slice(0, this.limit);
    const { field } = this.sort;
    this.greatest = this.list.reduce((most, row) => Math.max(most, field === 'name' ? 0 : Math.abs(this.rows.number(field, row, this.state.side))), 0);
    this.body.replaceChildren(...part.flatMap((row) => this.row(row)));
    this.drawAfter();
  }

  drawMore() {
    const from = this.limit;
    this.limit += 5 * STEP;
    this.body.append(...this.list.slice(from, this.limit).flatMap((row) => this.row(row)));
    this.drawAfter();
    this.body.querySelectorAll('button.open')[from]?.focus();
  }

  row(row) {
    const { rows, profile, state } = this;
    const site = profile.siteOf(rows, row);
    const folded = rows.folded.get(row);
    const name = rowName(profile, rows, row, state.rows === 'paths' ? 'path' : 'site');
    const isOpen = this.open.has(row);
    const canOpen = !folded && rows.site[row] !== OUTSIDE;
    const kind = profile.isDiff ? this.kindOf(row) : null;
    const who = element('th', { scope: 'row', class: 'who' },
      canOpen
        ? element('button', { type: 'button', class: 'open', 'aria-expanded': String(isOpen) }, bdi(name, 'name'))
        : element('span', { class: 'open' }, bdi(name, 'name')),
      element('div', { class: 'place' }, kind === 'new' || kind === 'gone' ? element('span', { class: `kind-${kind}` }, kind, ' ') : null,
        this.place(row, site)));
    tips.on(who, () => (site.place ? `${name}\n${site.place}` : name));
    const line = element('tr', { class: canOpen ? 'can-open' : null }, who, this.shown.map((field) => this.cell(field.name, row)));
    line.row = row;
    return isOpen ? [line, this.details(row)] : [line];
  }

  /** The line below a row's name. */
  place(row, site) {
    const { rows, profile } = this;
    if (site.place) return bdi(site.place);
    if (rows.site[row] === OUTSIDE) return 'no scope was open';
    if (rows.folded.has(row)) {
      const crate = profile.crates[site.crate];
      return [crate ? ['of ', bdi(oneLine(crate)), ', '] : null, 'folded to keep this page small'];
    }
    return rows.functions ? counted(rows.functions[row], 'function') : 'named at run time';
  }

  cell(field, row) {
    const { rows, profile, state } = this;
    const value = rows.exact(field, row, state.side);
    const cell = element('td', { class: Number(value) === 0 ? 'zero' : null });
    if (value === null) {
      cell.append('–');
      return tips.on(cell, () => (rows.site[row] === OUTSIDE
        ? 'Not counted outside any scope.' : 'Numbers of this column do not add up, so there is none for several rows together.'));
    }
    if (profile.isDiff && state.side === 'change') {
      const [before, after] = [rows.exact(field, row, 'before'), rows.exact(field, row, 'after')];
      cell.append(signed(value));
      if (value !== 0) {
        cell.classList.add(value > 0 ? 'more' : 'fewer');
        cell.append(element('div', { class: 'unit' }, `${thousands(before)} → ${thousands(after)}`));
      }
    } else {
      cell.append(thousands(value));
    }
    const unit = profile.fields.find((known) => known.name === field)?.unit;
    if (profile.isDiff && state.side === 'change') tips.on(cell, () => changeWords(rows, field, row));
    else if (unit === 'bytes' && Math.abs(Number(value)) >= 1024) tips.on(cell, () => short(value));
    if (field === this.sort.field && this.greatest > 0) {
      cell.classList.add('sorted');
      cell.style.setProperty('--part', Math.abs(Number(value)) / this.greatest);
    }
    return cell;
  }

  details(row) {
    const { space, profile, state } = this;
    const within = (content) => element('tr', { class: 'details' }, element('td', { colspan: this.shown.length + 1 }, content));
    if (state.rows === 'crates') return within(functionsOf(profile, space, row, state, this.shown, this.showCrate));
    let list = [row];
    if (state.rows === 'sites') {
      list = [];
      const site = space.sites.site[row];
      const { last, place } = profile.siteOf(space.sites, row);
      // A line of several scopes is a path of the last one, whatever the others are.
      const isOf = (path) => space.paths.site[path] === site
        || (place !== '' && profile.siteOf(space.paths, path).place === place && profile.siteOf(space.paths, path).last === last);
      for (let path = 0; path < space.paths.count; path++) if (isOf(path)) list.push(path);
    }
    return within(list.length > 0 ? framesAbove(profile, space, list, state, this.showPath)
      : element('p', { class: 'less' }, 'Its paths are among those that were folded to keep this page small.'));
  }

  drawAfter() {
    const rest = this.list.length - Math.min(this.limit, this.list.length);
    this.after.replaceChildren();
    if (rest === 0) return;
    this.after.append(element('button', { type: 'button', class: 'plain', onclick: () => this.drawMore() },
      `Show ${thousands(Math.min(rest, 5 * STEP))} more of ${counted(rest, 'row')}`));
  }

  drawWords(left, asked) {
    const { rows, list, state } = this;
    const what = { sites: 'site', paths: 'path', crates: 'crate' }[state.rows];
    // The rows of what is outside any scope or folded are neither.
    const real = (all) => all.filter((row) => rows.site[row] >= 0).length;
    const all = real([...rows.site.keys()]);
    const few = real(list);
    const words = [few === all ? counted(all, what) : `${thousands(few)} of ${counted(all, what)}`,
      `. Click a header to sort, a row for ${state.rows === 'crates' ? 'its functions' : 'the frames above it'}.`];
    const folded = foldedWords(rows, what, MEASURES[0], 'after');
    if (folded) words.push(' ', folded);
    if (left.length > 0) {
      const names = left.map((field) => field.name).join(', ');
      if (!state.allColumns) words.push(asked ? ` Columns not asked for: ${names}. ` : ` Left out, 0 in every row: ${names}. `);
      else words.push(' ');
      words.push(element('button', {
        type: 'button', class: 'link',
        onclick: () => {
          state.allColumns = !state.allColumns;
          this.refresh();
          this.words.querySelector('.link').focus();
        },
      }, state.allColumns ? (asked ? 'Only the columns asked for' : 'Leave out columns of zeros') : 'Show them'));
    }
    this.words.replaceChildren(...words);
  }

  // ---- pointer and keyboard ----

  clicked(event) {
    const line = event.target.closest('tr.can-open');
    // Marking text is no click.
    if (!line || String(getSelection())) return;
    this.toggle(line);
  }

  toggle(line) {
    const { row } = line;
    const opened = !this.open.has(row);
    if (opened) this.open.add(row);
    else this.open.delete(row);
    line.querySelector('button.open').setAttribute('aria-expanded', String(opened));
    if (opened) line.after(this.details(row));
    else line.nextElementSibling.remove();
  }

  pressed(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.target.matches('button.open')) return;
    const buttons = [...this.body.querySelectorAll('button.open')].filter((button) => button instanceof HTMLButtonElement);
    const next = buttons[buttons.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}
