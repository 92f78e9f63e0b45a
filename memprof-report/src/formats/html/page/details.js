// All numbers of one path, how a site was reached, and what a crate is made of: what the box over a frame and an opened row of the
// table show.

/** The box of a frame: its name, its areas with and without what it called, and every number that is no area. */
function pathTip(profile, space, path, state, part) {
  const { paths } = space;
  const head = path < 0
    ? [element('p', { class: 'tip-name' }, bdi(space.title), ': all paths together')]
    : tipHead(profile, paths, path);
  const columns = profile.isDiff
    ? [['before', 'before'], ['after', 'after'], ['change', 'change']].map(([side, title]) => [title, side, true])
    : [['with all below', 'after', true], ['itself', 'after', false]];
  const table = element('table', {}, element('thead', {}, element('tr', {}, element('th', {}, profile.isDiff ? 'with all below' : 'bytes'),
    columns.map(([title]) => element('th', {}, title)), profile.isDiff ? null : element('th', {}, 'share'))));
  const all = (measure, side) => paths.sumsOf(measure.field, side);
  table.append(element('tbody', {}, MEASURES.map((measure) => {
    const cells = columns.map(([, side, withAll]) => {
      if (path >= 0 && !withAll) return thousands(paths.exact(measure.field, path, side));
      if (!withAll) return '';
      const sums = all(measure, side);
      const [up, down] = [sums.up(path), sums.down(path)];
      if (side === 'change') return up > 0 && down > 0 ? `+${thousands(up)} −${thousands(down)}` : signed(up - down);
      return down > 0 ? `${thousands(up)} −${thousands(down)}` : thousands(up);
    });
    const whole = all(measure, 'after');
    return element('tr', { class: measure.field === state.measure ? 'chosen' : null }, element('th', {}, measure.label.toLowerCase()),
      cells.map((cell) => element('td', {}, cell)),
      profile.isDiff ? null : element('td', {}, share(whole.up(path), whole.up(-1))));
  })));
  const single = path < 0 || paths.site[path] < 0 ? null : element('dl', {}, profile.fields
    .filter((field) => !MEASURES.some((measure) => measure.field === field.name) && !paths.isZero(field.name))
    .map((field) => [element('dt', {}, field.name), element('dd', {}, numberWords(paths, field.name, path, profile))]));
  return element('div', {}, head, table, single);
}

function tipHead(profile, paths, path) {
  const site = profile.siteOf(paths, path);
  const folded = paths.folded.get(path);
  if (folded) return [element('p', { class: 'tip-name' }, `${counted(folded, 'small path')}, folded to keep this page small`)];
  const side = { 1: 'gone', 2: 'new' }[paths.sides?.[path]];
  return [
    element('p', { class: 'tip-name' }, bdi(site.name), side ? element('span', { class: 'less' }, ` (${side})`) : null),
    element('p', { class: 'tip-place' }, site.place ? bdi(site.place) : paths.site[path] === OUTSIDE ? 'allocated while no scope was open' : 'a name given at run time'),
  ];
}

/** What a row is called: one that others are folded into by how many these are. */
function rowName(profile, rows, row, what) {
  const folded = rows.folded.get(row);
  return folded ? `(other: ${counted(folded, `small ${what}`)})` : profile.siteOf(rows, row).name;
}

/** `1,234`; in a difference `1,000 → 1,234`. */
function numberWords(rows, field, row, profile) {
  const after = rows.exact(field, row, 'after');
  if (after === null) return '–';
  if (!profile.isDiff) return thousands(after);
  const before = rows.exact(field, row, 'before');
  return before === after ? thousands(after) : `${thousands(before)} → ${thousands(after)}`;
}

/** `1,000 → 1,250, +25.0 %`. */
function changeWords(rows, field, row) {
  const [before, after, change] = ['before', 'after', 'change'].map((side) => rows.exact(field, row, side));
  if (change === 0) return `unchanged: ${thousands(after)}`;
  const relative = Number(before) > 0 ? `, ${change > 0 ? '+' : ''}${share(change, before)}` : '';
  return `${thousands(before)} → ${thousands(after)}${relative}`;
}

/** The frames above: for each path that ends at this row, who called whom, outermost first, and that path's numbers. */
function framesAbove(profile, space, list, state, showPath) {
  const { paths } = space;
  const most = 25;
  const columns = ['ncalls', 'memory_peak', 'at_peak', 'live', 'self_total'];
  const sorted = [...list].sort((a, b) => Math.abs(paths.number('memory_peak', b, 'after')) - Math.abs(paths.number('memory_peak', a, 'after')) || a - b);
  const rows = sorted.slice(0, most).map((path) => element('tr', {},
    element('td', { class: 'way' }, element('ol', {}, paths.chain(path).map((at) => wayFrame(profile, paths, at)))),
    columns.map((field) => element('td', {}, numberWords(paths, field, path, profile))),
    element('td', {}, element('button', { type: 'button', class: 'plain', onclick: () => showPath(path) }, 'Show in graph'))));
  return element('div', { class: 'above' },
    element('p', {}, list.length === 1 ? 'The frames above, outermost first:' : `Reached on ${counted(list.length, 'path')}; the frames above, outermost first:`),
    element('table', {}, element('thead', {}, element('tr', {}, element('th', { class: 'way' }, 'path'), columns.map((field) => element('th', {}, field)), element('th', {}, element('span', { class: 'hidden' }, 'in the graph')))),
      element('tbody', {}, rows)),
    list.length > most ? element('p', { class: 'less' }, `and ${counted(list.length - most, 'more path')}; switch the table to Paths and filter to see them.`) : null);
}

function wayFrame(profile, paths, path) {
  const site = profile.siteOf(paths, path);
  return element('li', {}, bdi(site.name, 'name'), site.place ? [' ', bdi(site.place, 'less')] : null);
}

/** The functions of a crate that own most, by the numbers of its row; and a way to all of them. */
function functionsOf(profile, space, crate, state, fields, showCrate) {
  const { sites, crates } = space;
  const most = 25;
  const { name } = profile.siteOf(crates, crate);
  const columns = fields.map((field) => field.name);
  const own = (row) => Math.abs(sites.number(state.measure, row, state.side));
  // What is folded is many functions in one.
  const list = crates.parts[crate].filter((row) => !sites.folded.has(row)).sort((a, b) => own(b) - own(a) || a - b);
  const rows = list.slice(0, most).map((row) => element('tr', {},
    element('td', { class: 'way' }, element('ol', {}, wayFrame(profile, sites, row))),
    columns.map((field) => element('td', {}, numberWords(sites, field, row, profile)))));
  const [left, small] = [list.length - rows.length, crates.functions[crate] - list.length];
  const isNamed = crates.site[crate] !== profile.siteOfCrate(OF_NONE);
  return element('div', { class: 'above' },
    rows.length > 0 ? [element('p', {}, 'What its functions own themselves:'),
      element('table', {}, element('thead', {}, element('tr', {}, element('th', { class: 'way' }, 'function or block'), columns.map((field) => element('th', {}, field)))),
        element('tbody', {}, rows))] : null,
    left > 0 ? element('p', { class: 'less' }, `and ${counted(left, 'more function')}; switch the table to Sites to see them.`) : null,
    small > 0 ? element('p', { class: 'less' }, `${rows.length > 0 ? 'and ' : ''}${counted(small, 'small function')}, folded to keep this page small.`) : null,
    isNamed ? element('button', { type: 'button', class: 'plain', onclick: () => showCrate(name) }, 'Mark in graph') : null);
}
