import type { Parser, Token } from './parser.js';

/** A piece of a script that ends where a statement does; offsets in bytes. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/** After so many semicolons that end nothing, the rest of a script counts as one piece. */
const triesPerPiece = 500;

/**
 * Splits a script that the parser refuses as a whole, with PostgreSQL's scanner: at semicolons outside of strings
 * and comments, not at those in the body of a BEGIN ATOMIC function or of a rule, and at the end of a line that is a
 * command of psql.
 */
export function split(parser: Parser, script: Buffer): Piece[] {
  const tokens = parser.scan(script.toString('utf8'));
  const pieces: Piece[] = [];
  let start = 0;
  let at = 0;
  while (start < script.length) {
    let end: number;
    if (tokens === null) end = endWithoutScan(parser, script, start);
    else {
      [end, at] = endAmong(tokens, at, script, start);
    }
    pieces.push({ start, end });
    start = end;
  }
  return pieces;
}

/** @returns the end of the piece, and the index of the first token behind it */
function endAmong(tokens: readonly Token[], from: number, script: Buffer, start: number): [number, number] {
  const boundary = createBoundary();
  for (let at = from; at < tokens.length; at += 1) {
    const token = tokens[at];
    if (token === undefined || token.comment) continue;
    const text = script.toString('utf8', token.start, token.end);
    if (text === '\\' && boundary.isEmpty()) {
      const end = lineEnd(script, token.start);
      const next = tokens.findIndex((t, index) => index > at && t.start >= end);
      return [end, next < 0 ? tokens.length : next];
    }
    if (boundary.endsWith(text)) return [token.end, at + 1];
  }
  return [Math.max(script.length, start), tokens.length];
}

/** The scanner refuses a script with a string that does not end, but not the statements in front of it. */
function endWithoutScan(parser: Parser, script: Buffer, start: number): number {
  if (/^\s*\\/.test(script.toString('utf8', start, Math.min(start + 1_000, script.length)))) {
    return lineEnd(script, script.indexOf('\\', start));
  }
  let from = start;
  for (let tries = 0; tries < triesPerPiece; tries += 1) {
    const semicolon = script.indexOf(';', from);
    if (semicolon < 0) break;
    from = semicolon + 1;
    const piece = script.subarray(start, from);
    // A semicolon in a string leaves the string open, and the scanner refuses it; one in a comment is no token.
    const tokens = parser.scan(piece.toString('utf8'));
    if (tokens === null) continue;
    const boundary = createBoundary();
    const last = tokens.at(-1);
    const ended = tokens.some(
      (token) =>
        !token.comment && boundary.endsWith(piece.toString('utf8', token.start, token.end)) && token === last,
    );
    if (ended) return from;
  }
  return script.length;
}

/** Follows the tokens of one statement and says at which one it ends, as psql does. */
function createBoundary() {
  const words: string[] = [];
  let atomic = 0;
  let parentheses = 0;
  return {
    isEmpty: () => words.length === 0,
    endsWith(token: string): boolean {
      const word = token.toLowerCase();
      const creates = words[0] === 'create' ? words.slice(1, 4) : [];
      if (word === ';') {
        return atomic === 0 && !(creates.includes('rule') && parentheses > 0);
      }
      if (word === '(') parentheses += 1;
      if (word === ')') parentheses -= 1;
      if (creates.includes('function') || creates.includes('procedure')) {
        if (word === 'atomic' && words.at(-1) === 'begin') atomic += 1;
        else if (atomic > 0 && word === 'case') atomic += 1;
        else if (atomic > 0 && word === 'end') atomic -= 1;
      }
      words.push(word);
      return false;
    },
  };
}

function lineEnd(script: Buffer, from: number): number {
  const newline = script.indexOf('\n', from);
  return newline < 0 ? script.length : newline + 1;
}
