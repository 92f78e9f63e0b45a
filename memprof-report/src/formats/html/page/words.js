// Numbers and names as people read them, and the making of elements.
//
// A name can hold anything. It reaches the page only as text of a node (`element` never parses HTML), what would break a line or
// turn the writing direction is shown as its escape, and each name is isolated (`<bdi>`) from the text around it.

/** `-1234567` as `−1,234,567`. */
function thousands(value) {
  const digits = String(value);
  const plain = digits.startsWith('-') ? digits.slice(1) : digits;
  return (digits.startsWith('-') ? '−' : '') + plain.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A change: with its sign, 0 without one. */
const signed = (value) => (value > 0 ? '+' : '') + thousands(value);

const counted = (count, one, many = `${one}s`) => `${thousands(count)} ${Number(count) === 1 ? one : many}`;

const bytes = (value) => counted(value, 'byte');

/** `1.30 MiB`: three digits, for where the exact number stands nearby. */
function short(value) {
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  const size = Math.abs(Number(value));
  if (size < 1024) return counted(value, 'byte');
  let unit = 0;
  let scaled = size / 1024;
  while (scaled >= 1023.5 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return `${Number(value) < 0 ? '−' : ''}${thousands(scaled.toFixed(digits))} ${units[unit]}`;
}

const shortChange = (value) => (value > 0 ? '+' : '') + short(value);

/** `34.1 %` of a whole; nothing where the whole is 0. */
function share(part, all) {
  if (!Number(all)) return '';
  const percent = (100 * Number(part)) / Number(all);
  if (percent === 0) return '0 %';
  if (Math.abs(percent) < 0.1) return percent < 0 ? '> −0.1 %' : '< 0.1 %';
  return `${(percent >= 1000 ? thousands(Math.round(percent)) : percent.toFixed(1)).replace('-', '−')} %`;
}

/** `12.3 s`, `4 min 05 s`, `2 h 13 min`. */
function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const two = (number) => String(Math.floor(number)).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${thousands(Math.floor(seconds / 3600))} h ${two((seconds % 3600) / 60)} min`;
}

/** `2026-11-26T05:10:02.123Z` as `2026-11-26 05:10:02 UTC`; anything else as it is. */
const moment = (text) => oneLine(text).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, '$1 $2 UTC');

/** The text on one line: control characters and marks that turn the direction as in a Rust literal, `\n` or `\u{202e}`. */
function oneLine(text) {
  const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  // eslint-disable-next-line no-control-regex
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) =>
    known[character] ?? `\\u{${character.charCodeAt(0).toString(16)}}`);
}

/** A node with attributes (`on..` are listeners) and content: text, nodes, lists of both; null is left out. */
function element(tag, attributes = {}, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...content.flat(3).filter((part) => part !== null && part !== undefined && part !== false));
  return node;
}

const bdi = (text, kind) => element('bdi', { class: kind }, text);

/** A row of buttons of which one is chosen: `[value, label, tip]` each. Arrow keys choose. */
function choice(label, options, chosen, choose) {
  const pick = (value) => {
    choose(value);
    // Choosing has drawn the row anew.
    document.querySelector(`[aria-label="${label}"] [data-value="${value}"]`)?.focus();
  };
  const buttons = options.map(([value, text, tip]) => {
    const button = element('button', {
      type: 'button', role: 'radio', 'aria-checked': String(value === chosen), tabindex: value === chosen ? 0 : -1,
      'data-value': value, onclick: () => pick(value),
    }, text);
    return tip ? tips.on(button, () => tip) : button;
  });
  const move = (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const place = options.findIndex(([value]) => value === event.target.dataset.value);
    pick(options[(place + step + options.length) % options.length][0]);
  };
  return element('div', { class: 'choice', role: 'radiogroup', 'aria-label': label, onkeydown: move }, buttons);
}
