// Checks the types and the style of the joined pages, and names the source file of every finding.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { ESLint } from "eslint";
import prettier from "prettier";

const HERE = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

/** The source files of each page and the line at which each begins. */
const pages = JSON.parse(readFileSync(path.join(HERE, "joined/parts.json"), "utf8"));

/** The place in a source file of a place in a page. */
function sourcePlace(page, line, column) {
  const part = pages[page].filter((candidate) => candidate.line <= line).sort((a, b) => b.line - a.line)[0];
  return `${part.file}:${line - part.line + 1}:${column}`;
}

function typeErrors() {
  const tsc = path.join(HERE, "node_modules/.bin/tsc");
  const { stdout, stderr, error } = spawnSync(tsc, ["-p", HERE, "--pretty", "false"], { cwd: HERE, encoding: "utf8" });
  if (error || stderr) throw error ?? new Error(stderr);
  const place = /^joined\/(\w+)\.js\((\d+),(\d+)\): /;
  return stdout
    .split(/\n(?=\S)/)
    .filter((text) => text.trim())
    .map((text) => text.replace(place, (_, page, line, column) => `${sourcePlace(page, Number(line), column)}: `));
}

/** Findings of ESLint. A function of a shared file is unused only when no page uses it. */
async function lintErrors() {
  const eslint = new ESLint({ cwd: HERE });
  const found = [];
  const unused = new Map();
  for (const { filePath, messages } of await eslint.lintFiles(["joined/*.js", "*.js"])) {
    const page = path.basename(filePath, ".js");
    const joined = path.dirname(filePath) === path.join(HERE, "joined");
    for (const { line, column, message, ruleId } of messages) {
      const place = joined ? sourcePlace(page, line, column) : `${path.relative(HERE, filePath)}:${line}:${column}`;
      const text = `${place}: ${message} (${ruleId})`;
      if (joined && ruleId === "no-unused-vars") unused.set(text, [...(unused.get(text) ?? []), page]);
      else found.push(text);
    }
  }
  for (const [text, inPages] of unused) {
    const file = text.split(":")[0];
    const containing = Object.values(pages).filter((parts) => parts.some((part) => part.file === file));
    if (inPages.length === containing.length) found.push(text);
  }
  return found;
}

/** Source files that `npm run format` would change. */
async function formatErrors() {
  const ours = new Set(Object.values(pages).flatMap((parts) => parts.map((part) => part.file)));
  const files = [...[...ours].map((file) => path.join(HERE, "../..", file)), ...readdirSync(HERE).filter(isScript)];
  const found = [];
  for (const file of files) {
    const text = readFileSync(path.resolve(HERE, file), "utf8");
    const formatted = await prettier.check(text, { filepath: file, printWidth: 120 });
    if (!formatted)
      found.push(
        `${path.relative(path.join(HERE, "../.."), path.resolve(HERE, file))}: not formatted (npm run format)`,
      );
  }
  return found;
}

const isScript = (name) => name.endsWith(".js");

const findings = [...new Set([...typeErrors(), ...(await lintErrors()), ...(await formatErrors())])].sort();
for (const finding of findings) console.error(finding);
console.log(
  findings.length ? `${findings.length} findings` : `${Object.keys(pages).length} pages: types and style are right`,
);
process.exitCode = findings.length ? 1 : 0;
