import { factsOf } from './facts.js';
import { normalFormOf, normalFormOfText, type Parser, type RawStatement, sqlParser } from './parser.js';
import { split } from './split.js';
import { type ParsedScript, type ParsedStatement, unparsedFacts } from './statement.js';

/**
 * Reads a script with PostgreSQL's own parser. What it refuses (a command of psql, an unknown word) is a statement
 * with the effect `unparsed` and makes no other statement unparsed.
 */
export async function parseScript(script: string): Promise<ParsedScript> {
  return parseWith(await sqlParser(), script);
}

/** For those who hold the parser already. */
export function parseWith(parser: Parser, script: string): ParsedScript {
  const bytes = Buffer.from(script.replace(/^\uFEFF/, ''), 'utf8');
  const place = createPlace(parser, bytes);
  const whole = parser.parse(bytes.toString('utf8'));
  const statements: ParsedStatement[] = [];
  if (whole.kind === 'parsed') {
    statements.push(...readAll(place, whole.statements, 0, bytes.length));
  } else {
    for (const { start, end } of split(parser, bytes)) {
      const piece = parser.parse(bytes.toString('utf8', start, end));
      if (piece.kind === 'parsed') statements.push(...readAll(place, piece.statements, start, end));
      else statements.push(...unparsed(place, start, end, piece.problem));
    }
  }
  return { statements: untilOddStrings(statements) };
}

function readAll(place: Place, raw: readonly RawStatement[], offset: number, end: number): ParsedStatement[] {
  return raw.map((statement) => {
    const start = offset + statement.start;
    const stop = statement.length === null ? end : start + statement.length;
    const at = place(start, stop);
    try {
      return {
        ...at,
        ...factsOf(statement.type, statement.node),
        normalForm: normalFormOf(statement.type, statement.node),
        problem: null,
      };
    } catch (error) {
      // A tree too deep to walk.
      if (!(error instanceof RangeError)) throw error;
      return {
        ...at,
        ...unparsedFacts,
        normalForm: normalFormOfText(at.text),
        problem: 'it is nested too deeply',
      };
    }
  });
}

function unparsed(place: Place, start: number, end: number, problem: string): ParsedStatement[] {
  const at = place(start, end);
  return at.text === '' ? [] : [{ ...at, ...unparsedFacts, normalForm: normalFormOfText(at.text), problem }];
}

/**
 * With `standard_conforming_strings` off, a backslash escapes the quote behind it: from there on the script is not
 * what this parser reads.
 */
function untilOddStrings(statements: readonly ParsedStatement[]): readonly ParsedStatement[] {
  const from = statements.findIndex(
    (statement) => oddStrings.test(statement.text) && !safeStrings.test(statement.text),
  );
  if (from < 0) return statements;
  const problem = 'standard_conforming_strings is set before it';
  return statements.map((statement, index) =>
    index <= from
      ? statement
      : { ...statement, ...unparsedFacts, normalForm: normalFormOfText(statement.text), problem },
  );
}

/** As pg_dump writes it at the top of each script. */
const safeStrings = /^set\s+(session\s+|local\s+)?standard_conforming_strings\s*(=|\sto\s)\s*'?on'?$/i;
const oddStrings = /standard_conforming_strings/i;

interface Placed {
  readonly text: string;
  readonly startLine: number;
  readonly endLine: number;
}
type Place = (start: number, end: number) => Placed;

/** Finds a statement's text and lines between two offsets. Called from front to back, it reads the script once. */
function createPlace(parser: Parser, bytes: Buffer): Place {
  let counted = 0;
  let line = 1;
  const lineAt = (offset: number): number => {
    if (offset < counted) [counted, line] = [0, 1];
    for (let at = bytes.indexOf(10, counted); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1))
      line += 1;
    counted = offset;
    return line;
  };
  return (start, end) => {
    const [from, to] = trimmed(parser, bytes, start, end);
    return {
      text: bytes.toString('utf8', from, to),
      startLine: lineAt(from),
      endLine: lineAt(Math.max(to - 1, from)),
    };
  };
}

/** Leaves out white space, comments and the semicolon at both ends. */
function trimmed(parser: Parser, bytes: Buffer, start: number, end: number): [number, number] {
  const text = bytes.toString('utf8', start, end);
  if (!/--|\/\*|;\s*$/.test(text)) {
    const before = Buffer.byteLength(text) - Buffer.byteLength(text.trimStart());
    return [start + before, start + before + Buffer.byteLength(text.trim())];
  }
  const tokens = parser.scan(text)?.filter((token) => !token.comment);
  if (tokens === undefined) {
    const inner = text.trim().replace(/;$/, '').trimEnd();
    const before = Buffer.byteLength(text) - Buffer.byteLength(text.trimStart());
    return [start + before, start + before + Buffer.byteLength(inner)];
  }
  const isEnd = (token: { start: number; end: number } | undefined) =>
    token !== undefined && bytes.toString('latin1', start + token.start, start + token.end) === ';';
  while (isEnd(tokens.at(-1))) tokens.pop();
  const first = tokens[0];
  const last = tokens.at(-1);
  return first === undefined || last === undefined ? [start, start] : [start + first.start, start + last.end];
}
