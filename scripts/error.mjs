/** Something the person has to do first; `exitCode` 2. Or a step that failed; 1. */
export class BootstrapError extends Error {
  name = 'BootstrapError';
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}
