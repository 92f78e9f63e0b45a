// How the processes of a merged profile differ: of each row the least, the median and the greatest, and which process has it.

function drawSpread(profile, space, state) {
  const box = document.getElementById('spread');
  const tables = space.spread ?? [];
  box.hidden = tables.length === 0;
  if (box.hidden) return box.replaceChildren();
  const shown = tables.find((table) => table.field === state.spread) ?? tables[0];
  const again = (field) => {
    state.spread = field;
    drawSpread(profile, space, state);
  };
  const titles = ['processes', 'least', 'median', 'greatest'];
  const meanings = {
    processes: 'How many processes have the row.',
    least: 'The least of them, and the first process that has it.',
    median: 'As many processes are below it as above; of an even number the lower one of the two in the middle.',
    greatest: 'The greatest of them, and the first process that has it.',
  };
  const number = (value, of) => {
    const cell = element('td', {}, thousands(whole(value)), of === undefined ? null : element('div', { class: 'unit' }, bdi(oneLine(of))));
    return tips.on(cell, () => (of === undefined ? bytes(whole(value)) : `${short(whole(value))}, ${oneLine(of)}`));
  };
  const rows = shown.rows.map((row) => element('tr', {},
    tips.on(element('th', { scope: 'row', class: 'who' }, element('span', { class: 'open' }, bdi(oneLine(row.name), 'name'))), () => oneLine(row.name)),
    element('td', {}, thousands(whole(row.ranks))),
    number(row.least, row.least_of), number(row.median), number(row.greatest, row.greatest_of)));
  const left = shown.count - shown.rows.length;
  return box.replaceChildren(
    element('h2', { id: 'spread-title' }, 'How processes differ'),
    element('div', { class: 'controls' }, choice('Number', tables.map(({ field }) => [field, field]), shown.field, again)),
    element('p', { class: 'words' }, `${counted(shown.count, 'row')} of which the processes have different ${shown.field}, in bytes, the widest first.`,
      left > 0 ? ` The ${counted(left, 'other')} are in the saved profile.` : null),
    element('div', { class: 'scroll', tabindex: 0 }, element('table', {},
      element('thead', {}, element('tr', {},
        element('th', { scope: 'col', class: 'who' }, element('button', { type: 'button', disabled: true }, 'function or block')),
        titles.map((title) => element('th', { scope: 'col' }, tips.on(element('button', { type: 'button' }, title), () => meanings[title]))))),
      element('tbody', {}, rows))));
}
