/** From the first character to after the last. */
export type Span = readonly [from: number, to: number];

/** Where one of the stop characters comes next; the end of the text when none does. */
export function next(text: string, from: number, stop: RegExp): number {
  stop.lastIndex = from;
  return stop.exec(text)?.index ?? text.length;
}

/** What matches right here. @param here an expression with the flag `y` */
export function matchAt(text: string, at: number, here: RegExp): RegExpExecArray | null {
  here.lastIndex = at;
  return here.exec(text);
}
