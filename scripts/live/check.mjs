// What a browser gets of a running program: from its own page, and from a page of another origin. Run by scripts/check-live.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [binary] = process.argv.slice(2);
const TOKEN = 's3cret';
let failures = 0;

function check(what, said, expected) {
  const holds = JSON.stringify(said) === JSON.stringify(expected);
  if (!holds) failures += 1;
  console.log(holds ? `ok      ${what}` : `FAILED  ${what}: ${JSON.stringify(said)}, not ${JSON.stringify(expected)}`);
}

/** Starts the program of tests/live, and waits until it says where it answers. */
async function start(environment) {
  const env = { ...process.env, MEMPROF: '1', MEMPROF_OUTPUT: '/dev/null.txt', MEMPROF_HTTP: '127.0.0.1:0', MEMPROF_TEST_PART: 'idle', ...environment };
  const child = spawn(binary, ['--exact', 'program::plays_its_part', '--nocapture'], { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let url;
  for await (const line of createInterface({ input: child.stderr })) {
    url = /answers at (http:\S+)/.exec(line)?.[1] ?? url;
    if (line === 'ready') break;
  }
  return { url, end: () => child.stdin.end() };
}

const authorization = { authorization: `Bearer ${TOKEN}` };

/** Whether it measures, and how often `holds` was called: 0 after a reset. */
async function state({ url }, headers) {
  const profile = await (await fetch(`${url}/snapshot.json`, { headers })).json();
  const host = profile.spaces.find((space) => space.name === 'host');
  const row = host.records.find((record) => record.function.endsWith('holds'));
  return { enabled: profile.state.enabled, calls: row?.ncalls };
}

// The other origin: another port of this machine, so that the browser lets it ask 127.0.0.1 at all.
const other = http.createServer((_, response) => {
  response.setHeader('content-type', 'text/html');
  response.end('<!doctype html><title>other</title><body></body>');
});
await new Promise((done) => other.listen(0, '127.0.0.1', done));
const foreign = `http://127.0.0.1:${other.address().port}/`;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

/** What a page of another origin gets by all the ways that it has. */
async function attack(page, url) {
  await page.goto(foreign);
  return page.evaluate(async (target) => {
    const tried = {};
    const outcome = async (name, work) => { tried[name] = await work().catch(() => 'refused'); };
    const include = { credentials: 'include' };
    for (const path of ['/', '/snapshot.json', '/metrics', '/debug/pprof/heap']) {
      await outcome(`read ${path}`, async () => (await fetch(target + path, include)).text());
      await outcome(`read ${path} without cors`, async () => (await (await fetch(target + path, { mode: 'no-cors', ...include })).text()));
    }
    for (const path of ['/reset', '/disable']) {
      await outcome(`post ${path}`, async () => (await fetch(target + path, { method: 'POST', ...include })).text());
      await outcome(`post ${path} without cors`, async () => (await (await fetch(target + path, { method: 'POST', mode: 'no-cors', ...include })).text()));
      navigator.sendBeacon(target + path);
    }
    const element = (name, attribute, value) => new Promise((done) => {
      const made = document.createElement(name);
      made.onload = () => done('loaded');
      made.onerror = () => done('refused');
      made[attribute] = value;
      document.body.append(made);
    });
    tried.image = await element('img', 'src', `${target}/metrics`);
    tried.script = await element('script', 'src', `${target}/snapshot.json`);
    const frame = document.createElement('iframe');
    frame.name = 'framed';
    frame.src = target;
    const loaded = new Promise((done) => { frame.onload = done; });
    document.body.append(frame);
    await loaded;
    tried.frame = (() => { try { return frame.contentDocument === null ? 'refused' : 'read'; } catch { return 'refused'; } })();
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action: `${target}/disable`, target: 'framed' });
    document.body.append(form);
    const sent = new Promise((done) => { frame.onload = done; });
    form.submit();
    await sent;
    return tried;
  }, url);
}

for (const [title, token] of [['without a token', undefined], ['with a token that the browser knows', TOKEN]]) {
  const program = await start(token ? { MEMPROF_HTTP_TOKEN: token } : {});
  const context = await browser.newContext(token ? { httpCredentials: { username: 'any', password: token } } : {});
  const page = await context.newPage();
  await page.goto(program.url);
  await page.waitForSelector('#table tr');
  check(`${title}: its own page is shown`, (await page.evaluate(() => document.body.innerText)).includes('holds'), true);
  check(`${title}: it is renewed`, (await fetch(program.url, { headers: token ? authorization : {} })).headers.get('refresh'), '10');
  const before = await state(program, token ? authorization : {});
  check(`${title}: before`, before, { enabled: true, calls: 1 });
  const tried = await attack(page, program.url);
  const got = Object.entries(tried).filter(([, said]) => said !== 'refused' && said !== '');
  check(`${title}: another origin reads nothing, by ${Object.keys(tried).length} ways`, got, []);
  check(`${title}: another origin switches nothing`, await state(program, token ? authorization : {}), before);
  if (token) {
    const done = (await fetch(`${program.url}/disable`, { method: 'POST', headers: authorization })).status;
    check(`${title}: whoever is no browser and has the token does`, [done, (await state(program, authorization)).enabled], [200, false]);
  }
  await context.close();
  program.end();
}
await browser.close();
other.close();
process.exitCode = failures ? 1 : 0;
