// Does with each page what a reader does, and says what does not hold. Run by scripts/check-page.
import assert from 'node:assert/strict';
import path from 'node:path';
import { chromium } from 'playwright-core';

import { poorContrast } from './contrast.mjs';

const [pages, pictures] = process.argv.slice(2).map((directory) => path.resolve(directory));
const OPENS_WITHIN = 2_000;
const quiet = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: quiet });
let failures = 0;

/** Opens a page, has `act` do something with it, and asserts what holds for every page: no error, no request. */
async function check(title, name, { width = 1600, theme = 'light', picture = true } = {}, act = async () => {}) {
  const page = await browser.newPage({ viewport: { width, height: 1000 }, colorScheme: theme });
  const odd = [];
  page.on('console', (message) => odd.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => odd.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => { odd.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const file = `file://${pages}/${name}.html`;
  try {
    await page.goto(file);
    await act(page);
    assert.deepEqual(asked.filter((url) => url !== file && !url.startsWith('data:')), [], 'requests');
    assert.deepEqual(odd, [], 'console');
    const slip = await page.evaluate(() => document.body.innerText.match(/\[object|undefined|NaN/)?.[0]);
    assert.equal(slip, undefined, 'what no reader should see');
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(sideways, 0, 'pixels that the page is wider than the window');
    console.log(`ok      ${title}`);
  } catch (error) {
    failures += 1;
    console.log(`FAILED  ${title}: ${error.message}`);
  }
  if (picture) await page.screenshot({ path: `${pictures}/${title.replaceAll(/\W+/g, '-')}.png`, fullPage: true });
  await page.close();
}

const frame = (page, text) => page.locator('.frame').filter({ has: page.getByText(text, { exact: true }) }).first();
const count = (page, selector) => page.locator(selector).count();
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

// ---- opening ----

for (const name of ['10k', '100k']) {
  await check(`${name} opens in time`, name, {}, async (page) => {
    // What else the machine does only adds: the least of three is the page's own.
    const times = [];
    for (let round = 0; round < 3; round++) {
      if (round > 0) await page.reload();
      times.push(await page.evaluate(() => new Promise((done) => {
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
      })));
    }
    const drawn = Math.min(...times);
    console.log(`        ${name}: ${Math.round(drawn)} ms until drawn`);
    assert.ok(drawn < OPENS_WITHIN, `${drawn} ms`);
  });
}

// ---- the graph ----

await check('a click zooms, Esc goes back', 'one', { picture: false }, async (page) => {
  const before = await count(page, '.frame');
  await page.locator('.frame[aria-level="3"]').first().click();
  const zoomed = await count(page, '.frame');
  assert.notEqual(zoomed, before);
  assert.equal(await count(page, '.frame.around'), 2, 'the space and the path around it');
  await page.keyboard.press('Escape');
  assert.equal(await count(page, '.frame'), before);
  await page.locator('.frame[aria-level="3"]').first().click();
  await page.getByRole('button', { name: 'Whole graph' }).click();
  assert.equal(await count(page, '.frame'), before);
});

await check('the keyboard alone moves, zooms and goes back', 'one', { picture: false }, async (page) => {
  for (let presses = 0; presses < 40 && await page.evaluate(() => document.activeElement.getAttribute('role') !== 'treeitem'); presses++) {
    await page.keyboard.press('Tab');
  }
  const root = await focused(page);
  assert.match(root, /^host/);
  const before = await count(page, '.frame');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  const below = await focused(page);
  assert.notEqual(below, root);
  assert.ok(await page.locator('#tip').isVisible(), 'the box is there for the keyboard too');
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await focused(page), below);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await focused(page), below);
  await page.keyboard.press('Enter');
  assert.equal(await count(page, '.frame.around'), 2);
  await page.keyboard.press('Escape');
  assert.equal(await count(page, '.frame'), before);
  assert.equal(await focused(page), below, 'the focus is where it was');
  await page.keyboard.press('Home');
  assert.equal(await focused(page), root);
});

await check('a search marks and sums what it finds', 'one', {}, async (page) => {
  await page.keyboard.press('/');
  await page.keyboard.type('main');
  const found = await page.locator('.found').textContent();
  assert.match(found, /^\d+ frames match, with what they called: [\d,]+ bytes \([\d.]+ %\)$/);
  assert.ok(await count(page, '.frame.match') > 0);
  // All but what is outside any scope lies under `main`.
  const { whole, outside } = await page.evaluate(() => {
    const { totals } = JSON.parse(document.getElementById('profile').textContent).spaces[0];
    return { whole: totals.at_peak_level, outside: totals.no_scope_at_peak };
  });
  assert.ok(found.includes((whole - outside).toLocaleString('en-US')), found);
  await page.keyboard.press('Escape');
  assert.equal(await count(page, '.frame.match'), 0);
});

await check('hovering shows every number of a path', 'one', {}, async (page) => {
  await page.locator('.frame[aria-level="2"]').first().hover();
  const text = await page.locator('#tip').innerText();
  for (const word of ['main', 'src/main.rs', 'at peak', 'live', 'allocated', 'ncalls', 'memory_peak', 'memory_total', 'largest']) {
    assert.ok(text.includes(word), `${word} in ${text}`);
  }
});

await check('a frame has its colour in every measure', 'one', { picture: false }, async (page) => {
  const colours = () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll('.frame')]
    .map((node) => [node.getAttribute('aria-label').split(',')[0], getComputedStyle(node).backgroundColor])));
  const at_peak = await colours();
  await page.getByRole('radio', { name: 'Allocated' }).click();
  const allocated = await colours();
  const both = Object.keys(at_peak).filter((name) => name in allocated);
  assert.ok(both.length > 5);
  for (const name of both) assert.equal(at_peak[name], allocated[name], name);
});

await check('widths are the bytes', 'one', { picture: false }, async (page) => {
  const wrong = await page.evaluate(() => {
    const data = JSON.parse(document.getElementById('profile').textContent).spaces[0];
    const all = document.querySelector('.frames').getBoundingClientRect().width;
    const main = [...document.querySelectorAll('.frame[aria-level="2"]')].map((node) => node.getBoundingClientRect().width);
    const part = data.totals.no_scope_at_peak / data.totals.at_peak_level;
    return [Math.abs(main[1] - part * all), Math.abs(main[0] - (1 - part) * all)];
  });
  for (const pixels of wrong) assert.ok(pixels < 0.1, `${pixels} pixels off`);
});

await check('measures are chosen by arrow keys', 'one', { picture: false }, async (page) => {
  await page.getByRole('radio', { name: 'At peak' }).focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(page), 'Live');
  assert.match(await page.locator('#graph .words').textContent(), /when the profile was taken/);
});

// ---- the table ----

await check('a header sorts, both ways', 'one', { picture: false }, async (page) => {
  const column = async () => {
    const at = await page.evaluate(() => [...document.querySelectorAll('.scroll thead th')].findIndex((cell) => cell.hasAttribute('aria-sort')));
    const cells = await page.locator(`.scroll > table > tbody > tr > :nth-child(${at + 1})`).allInnerTexts();
    return cells.map((text) => Number(text.replaceAll(',', ''))).filter((number) => !Number.isNaN(number));
  };
  const falls = (numbers) => numbers.every((number, index) => index === 0 || numbers[index - 1] >= number);
  assert.ok(falls(await column()), 'greatest memory_peak first');
  await page.locator('[data-field="self_total"]').click();
  assert.ok(falls(await column()));
  await page.keyboard.press('Enter');
  assert.ok(falls((await column()).reverse()));
  await page.locator('[data-field="name"]').click();
  assert.equal(await page.locator('[aria-sort]').getAttribute('aria-sort'), 'ascending');
});

await check('the filter keeps what has the text', 'one', { picture: false }, async (page) => {
  await page.getByPlaceholder('Filter rows').fill('CSV');
  const names = await page.locator('.scroll > table > tbody .who').allInnerTexts();
  assert.ok(names.length > 0);
  for (const name of names) assert.match(name.toLowerCase(), /csv/);
  await page.keyboard.press('Escape');
  assert.ok(await count(page, '.scroll > table > tbody > tr') > names.length);
});

await check('a row shows the frames above it', 'one', {}, async (page) => {
  await page.locator('button.open').nth(4).click();
  assert.equal(await page.locator('button.open').nth(4).getAttribute('aria-expanded'), 'true');
  const way = await page.locator('.details .way ol').first().locator('li').allInnerTexts();
  assert.match(way[0], /^main/);
  await page.locator('.details').getByRole('button', { name: 'Show in graph' }).first().click();
  assert.equal(await page.evaluate(() => document.activeElement.classList.contains('frame')), true);
  await page.locator('button.open').nth(4).click();
  assert.equal(await count(page, '.details'), 0);
});

await check('long tables are shown in steps', '10k', { picture: false }, async (page) => {
  assert.equal(await count(page, '.scroll > table > tbody > tr'), 100);
  await page.getByRole('button', { name: /^Show 500 more/ }).click();
  assert.equal(await count(page, '.scroll > table > tbody > tr'), 600);
});

await check('paths have rows too, and sums that are the space’s', 'five', { picture: false }, async (page) => {
  await page.getByRole('radio', { name: 'Paths' }).click();
  await page.getByRole('button', { name: /^Show \d+ more/ }).click();
  const at = await page.evaluate(() => [...document.querySelectorAll('.scroll thead th')].findIndex((cell) => cell.textContent.startsWith('self_total')));
  const cells = await page.locator(`.scroll > table > tbody > tr > :nth-child(${at + 1})`).allInnerTexts();
  const sum = cells.reduce((total, text) => total + Number(text.replaceAll(',', '')), 0);
  assert.equal(sum, await page.evaluate(() => JSON.parse(document.getElementById('profile').textContent).spaces[0].totals.total));
});

const namesOf = (page) => page.locator('.scroll > table > tbody .who .name').allInnerTexts();
const CRATES = ['(in no tracked crate)', '(outside any scope)', 'column', 'flights', 'serve'];

/** The rows of crates, whose sums are the space's. */
const crates = async (page) => {
  await page.getByRole('radio', { name: 'Crates' }).click();
  const names = await namesOf(page);
  assert.deepEqual([...names].sort(), CRATES);
  const column = async (field) => {
    const at = await page.evaluate((name) => [...document.querySelectorAll('.scroll thead th')].findIndex((cell) => cell.textContent.startsWith(name)), field);
    const cells = await page.locator(`.scroll > table > tbody > tr > :nth-child(${at + 1})`).allInnerTexts();
    return cells.map((text) => Number(text.replaceAll(',', '')));
  };
  const totals = await page.evaluate(() => JSON.parse(document.getElementById('profile').textContent).spaces[0].totals);
  for (const [field, whole] of [['at_peak', totals.at_peak_level], ['live', totals.live], ['self_total', totals.total]]) {
    assert.equal((await column(field)).reduce((sum, bytes) => sum + bytes), whole, field);
  }
  return names;
};

await check('crates have rows, which sum to the space’s, and show their functions', 'crates', {}, async (page) => {
  const names = await crates(page);
  await page.locator('button.open').nth(names.indexOf('serve')).click();
  const places = await page.locator('.details .way li .less').allInnerTexts();
  assert.ok(places.length > 0);
  for (const place of places) assert.match(place, /^src\/serve\//);
  await page.locator('.details').getByRole('button', { name: 'Mark in graph' }).click();
  assert.equal(await page.getByPlaceholder('Search functions and files').inputValue(), 'crate:serve');
  assert.ok(await count(page, '.frame.match') > 0);
  await page.getByPlaceholder('Filter rows').fill('col');
  assert.deepEqual(await namesOf(page), ['column']);
});

await check('what is folded stays its crate’s', '100k-crates', { picture: false }, async (page) => {
  const owning = await page.evaluate(() => {
    const { crates, sites, spaces: [{ rows }] } = JSON.parse(document.getElementById('profile').textContent);
    const crate = crates.indexOf('serve');
    const owns = (row) => ['at_peak', 'live', 'self_total'].some((field) => Number(rows.columns[field][row]) !== 0);
    const kept = rows.site.filter((site, row) => sites.crate[site] === crate && owns(row)).length;
    const [, , folded] = rows.folded.find(([row]) => rows.site[row] === -3 - crate);
    return { kept, folded };
  });
  assert.ok(owning.kept > 0 && owning.folded > 0);
  const names = await crates(page);
  const functions = await page.locator('.scroll > table > tbody .who .place').nth(names.indexOf('serve')).innerText();
  assert.equal(functions, `${(owning.kept + owning.folded).toLocaleString('en')} functions`);
  await page.getByRole('radio', { name: 'Sites' }).click();
  await page.getByPlaceholder('Filter rows').fill('crate:serve');
  // A bracket stands before letters.
  await page.locator('[data-field="name"]').click();
  assert.match((await namesOf(page))[0], /^\(other: [\d,]+ small sites\)$/);
});

await check('there is no level of crates where none is known', 'one', { picture: false }, async (page) => {
  assert.equal(await page.getByRole('radio', { name: 'Crates' }).count(), 0);
});

// ---- spaces, differences, odd profiles ----

await check('tabs are chosen by pointer and arrow keys', 'five', {}, async (page) => {
  const chosen = () => page.locator('[role="tab"][aria-selected="true"]').innerText();
  assert.match(await chosen(), /^host/);
  await page.getByRole('tab', { name: 'cuda:0' }).click();
  assert.match(await page.locator('.frame').first().innerText(), /^cuda:0/);
  await page.keyboard.press('ArrowRight');
  assert.match(await chosen(), /^cuda:1/);
  await page.keyboard.press('End');
  assert.match(await chosen(), /^pinned/);
});

await check('a difference is drawn apart', 'diff', {}, async (page) => {
  assert.match(await page.locator('.frame.grown').first().innerText(), /grew/);
  assert.match(await page.locator('.frame.shrunk').first().innerText(), /shrank/);
  const words = await page.locator('#graph .words').innerText();
  const [grew, shrank] = words.match(/[+−][\d,]+ bytes/g).map((text) => Number(text.replace('−', '-').replace(/[,+]| bytes/g, '')));
  const change = await page.evaluate(() => {
    const { totals, before } = JSON.parse(document.getElementById('profile').textContent).spaces[0];
    return totals.at_peak_level - before.at_peak_level;
  });
  assert.equal(grew + shrank, change);
  await page.getByRole('radio', { name: /^New/ }).click();
  const rows = await count(page, '.scroll > table > tbody > tr');
  assert.ok(rows > 0);
  assert.equal(await count(page, '.kind-new'), rows);
  await page.getByRole('radio', { name: 'All' }).first().click();
});

await check('no name is taken for anything but text', 'hostile', {}, async (page) => {
  assert.equal(await page.title(), '</title><script>alert(1)</script>: memory report');
  assert.equal(await page.evaluate(() => document.querySelectorAll('img, script').length), 2, 'the data and the script');
  await page.locator('button.open').nth(2).click();
  for (const tab of [1, 2]) await page.getByRole('tab').nth(tab).click();
});

for (const name of ['single', 'freed', 'empty']) await check(`${name}`, name);

// ---- how it looks ----

for (const name of ['one', 'five', 'diff', 'hostile', '10k']) {
  for (const theme of ['light', 'dark']) {
    for (const width of [1600, 400]) {
      await check(`${name} ${theme} ${width} has contrast`, name, { theme, width }, async (page) => {
        const poor = async (when) => assert.deepEqual(await page.evaluate(poorContrast), [], when);
        await poor('at first');
        await page.locator('button.open').nth(1).click();
        await page.locator('.frame[aria-level="3"]').first().click();
        await page.locator('.frame').nth(1).hover();
        await poor('zoomed, with a row open and a box');
        await page.getByPlaceholder('Search functions and files').fill('a');
        await poor('searching');
      });
    }
  }
}

await browser.close();
if (failures > 0) {
  console.error(`${failures} checks failed; pictures are in ${pictures}`);
  process.exit(1);
}
console.log(`all checks hold; pictures are in ${pictures}`);
