import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

/**
 * Translates source files for a plain Node process, which a test can then kill. Returns a function that gives
 * the URL of a translated file.
 */
export function compileTo(directory: string, files: readonly string[]): (file: string) => string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const target = (file: string) => join(directory, file.replace(/\.ts$/, '.js'));
  for (const file of files) {
    const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
      },
    });
    mkdirSync(dirname(target(file)), { recursive: true });
    writeFileSync(target(file), outputText);
  }
  return (file) => pathToFileURL(target(file)).href;
}
