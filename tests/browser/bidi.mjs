// Drives one Firefox: `node bidi.mjs PUPPETEER FIREFOX`. A line of JSON in, a line out.
// {"do": "open", "url", "width", "height"} | {"do": "ask", "code"} | {"do": "press", "key"}
// -> {"answer"} | {"error"}; every answer carries what the page complained of since the last.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [driver, executablePath] = process.argv.slice(2);
const { default: puppeteer } = await import(pathToFileURL(driver).href);
const PATIENCE_MS = 120_000; // the machine may have other guests
const browser = await puppeteer.launch({
  browser: 'firefox', executablePath, headless: true, timeout: PATIENCE_MS,
});
const complaints = [];
let page = null;

async function open({ url, width, height }) {
  await page?.close();
  page = await browser.newPage();
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.setViewport({ width, height });
  await page.goto(url, { timeout: PATIENCE_MS });
}

const doers = {
  version: () => browser.version(),
  open,
  ask: ({ code }) => page.evaluate(code),
  press: ({ key }) => page.keyboard.press(key),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let told;
  try {
    told = { answer: (await doers[order.do](order)) ?? null };
  } catch (error) {
    told = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify({ ...told, complaints: complaints.splice(0) })}\n`);
}
await browser.close();
