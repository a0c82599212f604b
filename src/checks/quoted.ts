/** Quotes an argument for the eye, the way a shell would need it. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./<>{}-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
